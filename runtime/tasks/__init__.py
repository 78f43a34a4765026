"""Graphs run as tasks: submitted, bounded, watched, cancelled, continued after a crash."""

from cogwork.runtime.tasks.resources import Resources, Usage
from cogwork.runtime.tasks.runner import Runner
from cogwork.runtime.tasks.task import Priority, Task, TaskEvent
from cogwork.runtime.tasks.workers import Alert

__all__ = ["Alert", "Priority", "Resources", "Runner", "Task", "TaskEvent", "Usage"]
