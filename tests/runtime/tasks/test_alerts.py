"""Alerts: told to a callback, and counted by graph and kind."""

import threading
from typing import Any

import pytest
from scripted import ScriptedChatModel, calls
from task_graphs import add, fail, graph_of

from cogwork.core.budget import Budget
from cogwork.core.errors import TaskError
from cogwork.core.metrics import Metrics
from cogwork.graphs import create_react_agent
from cogwork.runtime.tasks import Runner
from cogwork.runtime.tasks.alerts import Alerts
from cogwork.tools import tool


class Heard:
    """An `on_alert` that can be waited for."""

    def __init__(self) -> None:
        self.alerts: list[Any] = []
        self._came = threading.Condition()

    def __call__(self, alert: Any) -> None:
        with self._came:
            self.alerts.append(alert)
            self._came.notify_all()

    def wait(self, kind: str) -> Any:
        with self._came:
            assert self._came.wait_for(lambda: kind in self.kinds(), 10), self.kinds()
        return next(alert for alert in self.alerts if alert.kind == kind)

    def kinds(self) -> list[str]:
        return [alert.kind for alert in self.alerts]


def counted(metrics: Metrics, graph: str, kind: str) -> float | None:
    labels = {"graph": graph, "kind": kind}
    return metrics.registry.get_sample_value("agent_task_alerts_total", labels)


@tool(effect="read")
def look() -> str:
    """Look."""
    return "there"


def test_time_failure_and_cost_are_told_and_counted(tmp_path, gate):
    heard, metrics = Heard(), Metrics()
    model = ScriptedChatModel(script=[calls(("look", {})), calls(("look", {})), "done"])
    graphs = {
        "gate": graph_of(gate),
        "fail": graph_of(fail),
        "agent": create_react_agent(model, [look]),
    }
    url = f"sqlite:///{tmp_path}/t.db"
    with Runner(url, graphs, on_alert=heard, metrics=metrics) as tasks:
        late = tasks.submit("gate", {}, timeout=0.05)
        assert heard.wait("timeout").task.id == late
        tasks.submit("fail", {})
        assert "as it was to be" in heard.wait("failed").message
        budget = Budget(max_model_calls=2, warn_at=0.5)
        dear = tasks.submit("agent", {"messages": "look"}, budget=budget)
        nearly = heard.wait("budget")
        assert (nearly.task.id, nearly.message) == (dear, "max_model_calls: 1 of 2 spent")
        assert "allows 2 model calls" in heard.wait("overspent").message
    assert heard.kinds() == ["timeout", "failed", "budget", "overspent"]
    for graph, kind in zip(("gate", "fail", "agent", "agent"), heard.kinds(), strict=True):
        assert counted(metrics, graph, kind) == 1


def test_a_stall_is_told_and_counted_once(tmp_path, gate):
    heard, metrics = Heard(), Metrics()
    url, graphs = f"sqlite:///{tmp_path}/t.db", {"gate": graph_of(gate)}
    with Runner(url, graphs, on_alert=heard, metrics=metrics, stall_after=0.05) as tasks:
        stuck = tasks.submit("gate", {})
        assert heard.wait("stalled").task.id == stuck
        while not tasks.report().stalled:
            tasks.status(stuck)
        gate.open.set()
        tasks.result(stuck, 10)
    assert heard.kinds() == ["stalled"]
    assert counted(metrics, "gate", "stalled") == 1


def test_runners_share_metrics_and_one_that_listens_badly_stops_nothing(tmp_path):
    metrics = Metrics()

    def deaf(alert: Any) -> None:
        raise RuntimeError("not now")

    for name in ("one", "other"):
        url = f"sqlite:///{tmp_path}/{name}.db"
        graphs = {"fail": graph_of(fail), "add": graph_of(add)}
        with Runner(url, graphs, on_alert=deaf, metrics=metrics) as tasks:
            with pytest.raises(TaskError, match="as it was to be"):
                tasks.result(tasks.submit("fail", {}), 10)
            assert tasks.result(tasks.submit("add", {"x": 1}), 10) == {"x": 2}
    assert counted(metrics, "fail", "failed") == 2


def test_a_refusal_is_told_once_and_again_after_work_was_let_in():
    heard = Heard()
    alerts = Alerts(heard)
    for reason in ("the disk is full", "the disk is fuller", None, "the disk is full"):
        alerts.refuse(reason)
    assert [alert.message for alert in heard.alerts] == ["the disk is full"] * 2
