"""Which tasks a command works on: those where the settings say, with every graph that can be run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cogwork.core.settings import Settings
    from cogwork.runtime.tasks.runner import Runner

__all__ = ["opened"]


@contextmanager
def opened(config: Path | None, grace: float = 10.0, **options: Any) -> Iterator["Runner"]:
    """Open the runner that the settings name; it works only if it is started.

    Args:
        config: File of settings.
        grace: Seconds that running nodes have when it is closed.
        **options: Of `cogwork.runtime.tasks.Runner`.

    Raises:
        ConfigurationError: A setting is wrong.
        MemoryStoreError: The tasks cannot be opened.
    """
    from cogwork.core.logs import log_as
    from cogwork.core.settings import load_settings
    from cogwork.graphs.registry import graphs
    from cogwork.runtime.tasks.runner import Runner

    settings = load_settings(config)
    log_as(settings)
    with ExitStack() as stores:  # opened with the graphs that work on memories
        makers = {name: _maker(name, settings, stores) for name in graphs.names()}
        runner = Runner(settings.tasks, makers, **options)
        try:
            yield runner
        finally:
            runner.stop(grace)


def _maker(name: str, settings: "Settings", stack: ExitStack) -> Any:
    def make() -> Any:
        from cogwork.runtime.building import build_graph, open_memories_of

        store = stack.enter_context(open_memories_of(name, settings))
        return build_graph(name, settings, store=store)

    return make
