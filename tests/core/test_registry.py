"""Named things: created late and once, shared between threads, extended by other packages."""

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cogwork.core.errors import ConfigurationError, DuplicateNameError, UnknownNameError
from cogwork.core.registry import Registry, nearest

GROUP = "cogwork.test_things"


@pytest.fixture
def registry() -> Registry[object]:
    return Registry[object]("planner")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real distribution whose entry points name one good, one broken and one nested thing."""
    (tmp_path / "their_things.py").write_text(
        "class Box:\n    thing = 'nested'\ngood = 'theirs'\nimports = __import__('sys').modules\n"
    )
    info = tmp_path / "their_package-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: their-package\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        f"[{GROUP}]\ngood = their_things:good\nbroken = absent_module:x\n"
        "nested = their_things:Box.thing\nmodule = their_things\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    yield tmp_path
    sys.modules.pop("their_things", None)


def test_decorated_thing_is_found_with_what_is_known_of_it(registry):
    @registry.register("simple", cost=3)
    class Simple:
        """
        One step per sentence.

        More words.
        """

    assert registry.get("simple") is Simple
    assert registry.entry("simple").description == "One step per sentence."
    assert registry.entry("simple").metadata == {"cost": 3}


def test_nothing_is_created_before_it_is_asked_for(registry):
    created: list[str] = []
    registry.add("late", lambda: created.append("late") or "made", description="Late.")

    assert [entry.description for entry in registry] == ["Late."]
    assert "late" in registry
    assert registry.names() == ["late"]
    assert created == []
    assert registry.get("late") == registry.get("late") == "made"
    assert created == ["late"]


def test_import_path_is_imported_on_first_use(registry, package):
    registry.add("theirs", "their_things:Box.thing")

    assert "their_things" not in sys.modules
    assert registry.get("theirs") == "nested"


@pytest.mark.parametrize("path", ["their_things:absent", "absent_module:x"])
def test_import_path_that_leads_nowhere_is_named(registry, package, path):
    registry.add("theirs", path)

    with pytest.raises(ConfigurationError, match=f"'{path}' cannot be imported"):
        registry.get("theirs")


@pytest.mark.parametrize("path", ["their_things", ":x", "x:"])
def test_text_that_is_no_import_path_is_refused_at_once(registry, path):
    with pytest.raises(ConfigurationError, match=r"package\.module:attribute"):
        registry.add("theirs", path)

    assert len(registry) == 0


def test_maker_that_fails_is_tried_again(registry):
    answers = iter([OSError("not yet"), "made"])

    def make() -> object:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    registry.add("late", make)

    with pytest.raises(OSError, match="not yet"):
        registry.get("late")
    assert registry.get("late") == "made"


def test_duplicate_is_refused_and_the_first_stays(registry):
    registry.add("one", lambda: 1)

    with pytest.raises(DuplicateNameError, match=r"planner 'one' is registered already"):
        registry.add("one", lambda: 2)

    assert registry.get("one") == 1


def test_unregistered_name_is_free_again(registry):
    registry.add("one", lambda: 1)
    registry.get("one")
    registry.unregister("one")
    registry.add("one", lambda: 2)

    assert registry.get("one") == 2


@pytest.mark.parametrize("method", ["get", "entry", "unregister"])
@pytest.mark.parametrize("typo", ["reakt", "REACT", "raect"])
def test_miss_offers_the_nearest_name(registry, method, typo):
    registry.add("react", object)
    registry.add("plan", object)

    with pytest.raises(
        UnknownNameError, match=f"no planner is called '{typo}'; did you mean 'react'"
    ):
        getattr(registry, method)(typo)


def test_miss_lists_what_there_is(registry):
    with pytest.raises(UnknownNameError, match="nothing is registered"):
        registry.get("x")
    for number in range(25):
        registry.add(f"thing-{number:02}", object)
    with pytest.raises(UnknownNameError, match=r"known: thing-00, .*thing-19, …$"):
        registry.get("x")


@given(st.lists(st.text(min_size=1), min_size=1, max_size=19, unique=True), st.data())
def test_known_name_in_other_letters_is_always_offered(known, data):
    name = data.draw(st.sampled_from(known))

    offered = nearest(name.swapcase(), known)

    folded = [each for each in known if each.casefold() == name.swapcase().casefold()]
    assert not folded or any(f"'{each}'" in offered for each in folded)


def test_threads_that_ask_together_get_one_thing(registry):
    made: list[object] = []
    together = threading.Barrier(8)

    def make() -> object:
        made.append(object())
        return made[-1]

    def ask(_: int) -> object:
        together.wait()
        return registry.get("shared")

    registry.add("shared", make)
    with ThreadPoolExecutor(8) as pool:
        answers = set(pool.map(ask, range(8)))

    assert answers == set(made)
    assert len(made) == 1


def test_threads_that_register_together_lose_nothing(registry):
    together = threading.Barrier(8)

    def register(worker: int) -> int:
        together.wait()
        lost = 0
        for number in range(50):
            registry.add(f"{worker}-{number}", object)
            try:
                registry.add(f"shared-{number}", object)
            except DuplicateNameError:
                lost += 1
            assert f"{worker}-{number}" in registry
        return lost

    with ThreadPoolExecutor(8) as pool:
        duplicates = sum(pool.map(register, range(8)))

    assert len(registry) == 8 * 50 + 50
    assert duplicates == 7 * 50


def test_slow_maker_does_not_hold_up_other_names(registry):
    """A module that registers while another thread imports it would deadlock otherwise."""
    registered = threading.Event()

    def slow() -> bool:
        return registered.wait(timeout=20)

    registry.add("slow", slow)
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(registry.get, "slow")
        registry.add("quick", object)
        assert registry.names() == ["quick", "slow"]
        registered.set()
        assert answer.result() is True


def test_other_packages_add_by_entry_points(package):
    registry = Registry[object]("thing", group=GROUP)
    registry.add("mine", lambda: "mine")

    assert registry.names() == ["broken", "good", "mine", "module", "nested"]
    assert "their_things" not in sys.modules
    assert registry.entry("good").description == "from their-package"
    assert registry.get("good") == "theirs"
    assert registry.get("nested") == "nested"
    assert registry.get("module") is sys.modules["their_things"]


def test_broken_entry_point_is_named_when_it_is_used(package):
    registry = Registry[object]("thing", group=GROUP)

    with pytest.raises(ConfigurationError, match="'absent_module:x' cannot be imported"):
        registry.get("broken")


def test_own_name_is_stronger_than_an_entry_point(package):
    registry = Registry[object]("thing", group=GROUP)
    registry.add("good", lambda: "mine")

    assert registry.get("good") == "mine"
    assert registry.names().count("good") == 1
