import pytest
from google.protobuf import message_factory
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from nearfield.v1 import embedding_pb2, info_pb2, recommendation_pb2, types_pb2
from server.places import asks_for_new_items

NEW = types_pb2.NewItem(item_type="podcast", title="Out today")
METHODS: list[MethodDescriptor] = [
    method
    for file in (embedding_pb2, recommendation_pb2, info_pb2)
    for service in file.DESCRIPTOR.services_by_name.values()
    for method in service.methods
]


def takes_new_items(request: Descriptor) -> bool:
    elements = request.fields_by_name.get("requests")
    single = elements.message_type if elements else request
    assert single is not None
    return "new_item" in single.fields_by_name


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.name)
def test_every_call_that_takes_new_items_is_told_from_its_request(method: MethodDescriptor) -> None:
    kind = message_factory.GetMessageClass(method.input_type)
    assert not asks_for_new_items(kind(), 10)
    if not takes_new_items(method.input_type):
        return
    if "requests" in method.input_type.fields_by_name:
        known, new = {"item_id": "a"}, {"new_item": NEW}
        assert asks_for_new_items(kind(requests=[known, new]), 10)
        assert not asks_for_new_items(kind(requests=[known, known]), 10)
    else:
        assert asks_for_new_items(kind(new_item=NEW), 10)
        assert not asks_for_new_items(kind(item_id="a"), 10)


def test_there_are_calls_of_both_kinds() -> None:
    taking = {method.name for method in METHODS if takes_new_items(method.input_type)}
    assert taking == {"EmbedItem", "BatchEmbedItems", "FindSimilarItems", "BatchFindSimilarItems"}
    assert len(METHODS) > len(taking)


def test_elements_of_a_batch_beyond_the_limit_are_not_looked_at() -> None:
    known = embedding_pb2.EmbedItemRequest(item_id="a")
    new = embedding_pb2.EmbedItemRequest(new_item=NEW)
    batch = embedding_pb2.BatchEmbedItemsRequest(requests=[known, known, new])
    assert asks_for_new_items(batch, 3)
    assert not asks_for_new_items(batch, 2)
