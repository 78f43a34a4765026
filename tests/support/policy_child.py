"""A process of its own that runs or resumes one attacked thread: FOLDER THREAD [ANSWER]."""

import json
import sys
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
warnings.simplefilter("ignore")

from hostile import attack  # noqa: E402 - needs the path above
from langgraph.types import Command  # noqa: E402

from cogwork.memory import create_checkpointer  # noqa: E402

folder, thread, *answer = sys.argv[1:]
config = {"configurable": {"thread_id": thread}}
with create_checkpointer(f"sqlite:///{folder}/runs.sqlite") as saver:
    world, agent, order = attack("fetch", "mail", checkpointer=saver)
    state = agent.invoke(Command(resume=answer[0]) if answer else order, config)
sys.stdout.write(json.dumps({"asked": len(state.get("__interrupt__", ())), "done": world.done}))
