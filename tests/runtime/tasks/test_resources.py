import pytest

from cogwork.core.errors import ConfigurationError
from cogwork.core.pools import ThreadPool
from cogwork.core.watching import Watch, WatchedCall
from cogwork.graphs import create_react_agent
from cogwork.runtime.tasks import Resources
from cogwork.runtime.tasks import resources as found
from cogwork.tools import load_tools

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


@pytest.mark.parametrize(
    "wrong", [{"min_memory": -1}, {"max_cpu": 0}, {"max_starts": 0}, {"max_calls": 0}]
)
def test_impossible_limits_are_refused(wrong):
    with pytest.raises(ConfigurationError):
        Resources(**wrong)


def test_calls_of_models_and_tools_are_counted_and_limited():
    resources = Resources(min_memory=0, min_disk=0, max_calls=3)
    agent = create_react_agent("offline", load_tools(["calculator"]))
    assert resources() is None
    agent.invoke({"messages": "What is 6 * 7?"}, {"callbacks": [resources.callback]})
    assert resources.usage().calls == 3  # the model, the tool, the model
    assert "3 calls were made within a minute, as many as max_calls" in resources()
    assert resources.usage().starts == 1
    assert "near max_calls of 3" in resources.advice()[-1]


def test_callback_is_told_of_tools_without_a_run_of_langchain():
    resources = Resources()
    assert isinstance(resources.callback, Watch)
    with WatchedCall("sum", {"callbacks": [resources.callback]}):
        pass
    assert resources.usage().calls == 1


def test_what_happened_a_minute_ago_is_forgotten(monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr("cogwork.runtime.tasks.resources.time.monotonic", lambda: clock[0])
    resources = Resources(min_memory=0, min_disk=0, max_starts=1)
    assert resources() is None
    clock[0] += 59
    assert "max_starts" in resources()
    clock[0] += 2
    assert resources() is None


def test_starts_are_counted_exactly_whoever_asks_at_the_same_time():
    resources = Resources(min_memory=0, min_disk=0, max_starts=5)
    with ThreadPool(8) as pool:
        answers = [pool.submit(resources) for _ in range(40)]
    assert sum(answer.result() is None for answer in answers) == 5


def test_a_busy_machine_is_seen_from_any_thread(monkeypatch):
    seconds = iter([(10.0, 100.0), (19.5, 110.0), (19.5, 120.0)])
    monkeypatch.setattr(found, "_processor_seconds", lambda: next(seconds))
    monkeypatch.setattr(found, "_SHORTEST_LOOK", 0)
    resources = Resources(min_memory=0, min_disk=0, max_cpu=0.9)
    with ThreadPool(1) as pool:
        assert "busy at 95%, above max_cpu=0.9" in pool.submit(resources).result()
    assert resources() is None


def test_the_folder_need_not_be_there_yet(tmp_path):
    assert Resources(folder=tmp_path / "not" / "yet").usage().disk_left > 0


def write_group(folder, **files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(f"{text}\n")


def test_a_limit_of_a_container_counts_not_the_machine(tmp_path, monkeypatch):
    write_group(tmp_path / "a", memory__max=1000, memory__current=900, memory__stat="file 1")
    write_group(tmp_path / "a/b", memory__max="max", memory__current=5, memory__stat="")
    assert found._memory_limits(tmp_path, "/a/b") == [(1000, 100)]
    write_group(tmp_path / "a", memory__stat="anon 600\ninactive_file 300")
    assert found._memory_limits(tmp_path, "/a/b") == [(1000, 400)]
    monkeypatch.setattr(found, "_GROUPS", tmp_path)
    monkeypatch.setattr(found, "_own_group", lambda: "/a/b")
    used = Resources().usage()
    assert (used.memory, used.memory_left) == (0.6, 400)
    assert "0 MiB of memory are left" in Resources()()


def test_the_older_control_groups_are_read_too(tmp_path):
    write_group(
        tmp_path / "memory",
        memory__limit_in_bytes=1000,
        memory__usage_in_bytes=700,
        memory__stat="total_inactive_file 50",
    )
    assert found._memory_limits(tmp_path, "") == [(1000, 350)]
    write_group(tmp_path / "memory", memory__limit_in_bytes=2**63 - 4096)  # none, as they say it
    assert found._memory_limits(tmp_path, "") == []
