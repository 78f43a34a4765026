"""Draw the README's pictures: the graphs, and a run on the command line.

python docs/images/draw.py
"""

import asyncio
import io
import re
import tempfile
from pathlib import Path

from langgraph.store.memory import InMemoryStore
from rich.console import Console

from cogwork import (
    create_checkpointer,
    create_plan_execute_agent,
    create_react_agent,
    load_tools,
)
from cogwork.core.topology import to_svg
from cogwork.graphs import (
    create_ensemble,
    create_reflexion_agent,
    create_research_agent,
    create_supervisor,
)
from cogwork.runtime.console import Narrator
from cogwork.runtime.run import run

HERE = Path(__file__).parent
DATA = HERE.parent.parent / "notebooks" / "data"
QUESTION = (
    "Read planets.csv, compute the total of the mass_1e24_kg column, "
    "and write the answer to answer.txt"
)
FONT_FACES = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def main() -> None:
    """Write the pictures beside this file."""
    console = Console(record=True, width=92, file=io.StringIO(), force_terminal=True)
    with tempfile.TemporaryDirectory() as folder, create_checkpointer("memory://") as saver:
        root = Path(folder)
        (root / "planets.csv").write_bytes((DATA / "planets.csv").read_bytes())
        tools = load_tools(["calculator", "files"], root=root)
        agent = create_react_agent("offline", tools, checkpointer=saver)
        console.print(f'[dim]$ cogwork run react "{QUESTION}"[/]', highlight=False)
        asyncio.run(run(agent, QUESTION, "1", Narrator(console, max_lines=4)))
    # Rich's template asks a web server for its font; whatever is installed will do.
    (HERE / "run.svg").write_text(FONT_FACES.sub("", console.export_svg(title="cogwork")))
    (HERE / "react.svg").write_text(to_svg(agent) + "\n")
    (HERE / "plan.svg").write_text(to_svg(create_plan_execute_agent("offline", tools)) + "\n")
    reflexion = create_reflexion_agent("offline", tools, store=InMemoryStore(), lessons=("ada",))
    (HERE / "reflexion.svg").write_text(to_svg(reflexion) + "\n")
    agents = [create_react_agent("offline", name=name) for name in ("ada", "bob")]
    supervisor = create_supervisor(agents, "offline")
    (HERE / "supervisor.svg").write_text(to_svg(supervisor) + "\n")
    (HERE / "ensemble.svg").write_text(to_svg(create_ensemble("offline", rounds=1)) + "\n")
    (HERE / "research.svg").write_text(to_svg(create_research_agent("offline")) + "\n")


if __name__ == "__main__":
    main()
