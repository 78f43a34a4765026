"""What pools tell Prometheus."""

from prometheus_client import CollectorRegistry, generate_latest

from cogwork.core.pools import PoolMetrics, ThreadPool


def test_prometheus_reads_the_figures_of_the_moment():
    registry, metrics = CollectorRegistry(), PoolMetrics()
    registry.register(metrics)
    with ThreadPool(1) as pool:
        metrics.watched["files"] = pool
        pool.submit(abs, -1).result()
        pool.submit(int, "x").exception()

    def value(name, **labels):
        return registry.get_sample_value(name, {"pool": "files", **labels})

    assert value("agent_pool_calls_total", result="finished") == 1
    assert value("agent_pool_calls_total", result="failed") == 1
    assert value("agent_pool_calls_total", result="refused") == 0
    assert value("agent_pool_seconds_total", phase="running") > 0
    assert value("agent_pool_now", phase="queued") == 0
    assert b'agent_pool_now{phase="left",pool="files"} 0.0' in generate_latest(registry)
