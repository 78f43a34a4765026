"""Graphs run as tasks: submitted, bounded, watched, cancelled, continued after a crash."""

from cogwork.runtime.tasks.alerts import Alert
from cogwork.runtime.tasks.report import Report, TaskReport
from cogwork.runtime.tasks.resources import Resources, Usage
from cogwork.runtime.tasks.runner import Runner
from cogwork.runtime.tasks.task import Priority, Task, TaskEvent

__all__ = [
    "Alert",
    "Priority",
    "Report",
    "Resources",
    "Runner",
    "Task",
    "TaskEvent",
    "TaskReport",
    "Usage",
]
