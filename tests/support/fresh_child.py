"""The process whose forks `fresh` hands out."""

from importlib import import_module

from forks import serve
from fresh import become

for name in (
    *("cogwork.runtime.cli", "cogwork.runtime.run", "cogwork.runtime.building"),
    *("cogwork.core.topology", "cogwork.core.offline", "cogwork.memory", "cogwork.tools"),
    *("cogwork.graphs.react", "cogwork.graphs.plan_execute", "cogwork.tools.files"),
    *("cogwork.runtime.tasks", "cogwork.runtime.evaluation", "cogwork.tools.calculator"),
    *("cogwork.core.breaker", "cogwork.core.bus", "cogwork.core.metrics", "cogwork.core.pools"),
    "genai_prices",
):
    import_module(name)

if __name__ == "__main__":
    serve(become)
