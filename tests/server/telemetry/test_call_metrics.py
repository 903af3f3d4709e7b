import grpc
import pytest

from server.telemetry.call_metrics import CallMetrics
from server.telemetry.metrics import Metrics
from tests.server.telemetry.support import EMBED_ITEM, TIMES, Clock, a_call, go_through

NAME = "nearfield.v1.RecommendationService/Recommend"


class Bench:
    """Metrics of calls, by a clock of their own."""

    def __init__(self, *, by_caller: bool = False) -> None:
        self.clock = Clock()
        metrics = Metrics(by_caller=by_caller)
        self.registry = metrics.registry
        self.watcher = CallMetrics(metrics, monotonic=self.clock)

    def value(self, name: str, **labels: str) -> float | None:
        """Read a metric; None where it was never counted."""
        return self.registry.get_sample_value(name, labels)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_call_is_counted_under_the_names_of_grfc_a66(bench: Bench) -> None:
    bench.clock.now = 1000.02
    call = a_call(request_bytes=100, response_bytes=5000)
    bench.watcher.began(call, ())
    assert bench.value("grpc_server_call_started_total", grpc_method=NAME) == 1
    assert bench.value("nearfield_calls_under_way", grpc_method=NAME) == 1
    bench.watcher.ended(call, grpc.StatusCode.OK)
    assert bench.value("nearfield_calls_under_way", grpc_method=NAME) == 0
    labels = {"grpc_method": NAME, "grpc_status": "OK"}
    assert bench.value("grpc_server_call_duration_seconds_sum", **labels) == pytest.approx(0.02)
    assert bench.value("grpc_server_call_duration_seconds_bucket", le="0.03", **labels) == 1
    assert bench.value("grpc_server_call_duration_seconds_bucket", le="0.01", **labels) == 0
    sizes = ("sent", 5000), ("rcvd", 100)
    for way, size in sizes:
        name = f"grpc_server_call_{way}_total_compressed_message_size_bytes_sum"
        assert bench.value(name, **labels) == size


def test_stages_that_a_call_went_through_are_counted_and_others_are_not(bench: Bench) -> None:
    go_through(bench.watcher, a_call(times=TIMES))
    name = "nearfield_stage_duration_seconds"
    assert bench.value(f"{name}_sum", grpc_method=NAME, stage="model") == 0.004
    assert bench.value(f"{name}_count", grpc_method=NAME, stage="queue") == 1
    assert bench.value(f"{name}_count", grpc_method=NAME, stage="featurizer") == 0


def test_refused_call_counts_by_its_reason(bench: Bench) -> None:
    go_through(bench.watcher, a_call(reason="OVERLOADED"), grpc.StatusCode.RESOURCE_EXHAUSTED)
    labels = {"grpc_method": NAME, "reason": "OVERLOADED"}
    assert bench.value("nearfield_refusals_total", **labels) == 1
    ended = {"grpc_method": NAME, "grpc_status": "RESOURCE_EXHAUSTED"}
    assert bench.value("grpc_server_call_duration_seconds_count", **ended) == 1


def test_elements_of_a_batch_count_one_by_one(bench: Bench) -> None:
    call = a_call(
        element_reasons=("ITEM_UNKNOWN", "OVERLOADED", "ITEM_UNKNOWN"), read=5, computed=2
    )
    go_through(bench.watcher, call)
    unknown = {"grpc_method": NAME, "reason": "ITEM_UNKNOWN"}
    assert bench.value("nearfield_element_failures_total", **unknown) == 2
    assert bench.value("nearfield_answers_total", grpc_method=NAME, how="read") == 5
    assert bench.value("nearfield_answers_total", grpc_method=NAME, how="computed") == 2
    assert bench.value("nearfield_refusals_total", **unknown) is None


def test_methods_are_kept_apart(bench: Bench) -> None:
    go_through(bench.watcher, a_call())
    go_through(bench.watcher, a_call(method=EMBED_ITEM))
    go_through(bench.watcher, a_call(method=EMBED_ITEM))
    name = "nearfield.v1.EmbeddingService/EmbedItem"
    assert bench.value("grpc_server_call_started_total", grpc_method=NAME) == 1
    assert bench.value("grpc_server_call_started_total", grpc_method=name) == 2


def test_nobody_is_named_unless_a_setting_says_so(bench: Bench) -> None:
    naming = Bench(by_caller=True)
    for each in (bench, naming):
        go_through(each.watcher, a_call(caller="shop", request_id="asked-for"))
        go_through(each.watcher, a_call(caller=""), grpc.StatusCode.UNAUTHENTICATED)
    values = {
        value
        for metric in bench.registry.collect()
        for sample in metric.samples
        for value in sample.labels.values()
    }
    assert not {"shop", "asked-for", "0123456789abcdef"} & values
    counted = naming.value("nearfield_caller_calls_total", caller="shop", grpc_status="OK")
    assert counted == 1
