"""Agents on tasks with programmatic checks: success, steps, tokens, dollars, seconds."""

from cogwork.runtime.evaluation.checks import Check, Verdict
from cogwork.runtime.evaluation.loading import load_gaia, load_hotpotqa, load_tasks
from cogwork.runtime.evaluation.reporting import as_json, as_markdown, as_table
from cogwork.runtime.evaluation.results import Results, TaskRun, wilson
from cogwork.runtime.evaluation.running import aevaluate, evaluate, graph_maker
from cogwork.runtime.evaluation.scoring import FINAL_ANSWER
from cogwork.runtime.evaluation.tasks import EvalTask, builtin_tasks

__all__ = [
    "FINAL_ANSWER",
    "Check",
    "EvalTask",
    "Results",
    "TaskRun",
    "Verdict",
    "aevaluate",
    "as_json",
    "as_markdown",
    "as_table",
    "builtin_tasks",
    "evaluate",
    "graph_maker",
    "load_gaia",
    "load_hotpotqa",
    "load_tasks",
    "wilson",
]
