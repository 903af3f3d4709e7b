from google.protobuf.message_factory import GetMessageClass

from nearfield.rpcs import RPCS
from nearfield.testing.dispatch import REQUESTS, Method
from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2

METHODS = [
    method
    for module in (embedding_pb2, info_pb2, recommendation_pb2)
    for service in module.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def test_every_call_of_the_contract_is_there_with_its_answer() -> None:
    contract = {
        f"/{method.containing_service.full_name}/{method.name}": GetMessageClass(method.output_type)
        for method in METHODS
    }

    assert {rpc.path: rpc.answer for rpc in RPCS} == contract


def test_the_fake_knows_every_call_with_its_request() -> None:
    contract = {
        f"/{method.containing_service.full_name}/{method.name}": GetMessageClass(method.input_type)
        for method in METHODS
    }

    assert {method.value: request for method, request in REQUESTS.items()} == contract
    assert set(REQUESTS) == set(Method)


def test_every_call_of_the_contract_may_be_sent_again() -> None:
    """All of them read. The day that one does not, the SDK must not repeat it: see test_writes."""
    assert all(rpc.repeatable for rpc in RPCS)
