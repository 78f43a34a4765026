"""A process of its own that runs or resumes one attacked thread: FOLDER THREAD [ANSWER]."""

import json
import sys
import warnings

from hostile import attack
from langgraph.types import Command

from cogwork.memory import create_checkpointer

warnings.simplefilter("ignore")

folder, thread, *answer = sys.argv[1:]
config = {"configurable": {"thread_id": thread}}
with create_checkpointer(f"sqlite:///{folder}/runs.sqlite") as saver:
    world, agent, order = attack("fetch", "mail", checkpointer=saver)
    state = agent.invoke(Command(resume=answer[0]) if answer else order, config)
sys.stdout.write(json.dumps({"asked": len(state.get("__interrupt__", ())), "done": world.done}))
