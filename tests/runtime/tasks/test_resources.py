import pytest

from cogwork.core.errors import ConfigurationError
from cogwork.runtime.tasks import Resources

HUGE = 2**62


def test_what_is_used_is_told_in_shares_and_bytes():
    used = Resources().usage()
    assert 0 <= used.memory <= 1
    assert 0 <= used.cpu <= 1
    assert used.memory_left > 0
    assert used.disk_left > 0


@pytest.mark.parametrize(
    ("limits", "says"),
    [
        ({"min_memory": HUGE}, "MiB of memory are left, under min_memory"),
        ({"min_disk": HUGE}, "MiB of disk are left, under min_disk"),
    ],
)
def test_nothing_starts_where_something_is_scarce(limits, says):
    resources = Resources(**limits)
    assert says in resources()
    assert resources.usage().starts == 0


def test_starts_are_counted_and_limited():
    resources = Resources(min_memory=0, min_disk=0, max_starts=2)
    assert [resources(), resources()] == [None, None]
    assert "2 tasks started within a minute" in resources()


def test_advice_names_what_is_scarce_and_what_helps():
    assert any("cleanup()" in said for said in Resources(min_disk=HUGE).advice())
    assert "max_concurrency" in Resources(min_memory=HUGE).advice()[0]


@pytest.mark.parametrize("wrong", [{"min_memory": -1}, {"max_cpu": 0}, {"max_starts": 0}])
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        Resources(**wrong)
