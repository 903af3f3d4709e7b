import random
from itertools import islice

import pytest
from google.protobuf.message import DecodeError

from benchmarks.endurance.drawing import Drawer, Words, words_of
from benchmarks.endurance.fuzz import PUBLISH, draw_calls
from benchmarks.endurance.mutation import MUTATIONS, Mutation, mutate
from export.generation import read
from nearfield.v1 import recommendation_pb2 as pb
from server.methods import ADMIN_METHODS, METHODS, Method
from tests.support.generation import write_tiny_generation


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> Words:
    folder = write_tiny_generation(tmp_path_factory.mktemp("generations"))
    return words_of(read(folder, allow_test_featurizer=True))


def test_every_method_of_the_contract_is_called(words: Words) -> None:
    paths = {each.path for each in islice(draw_calls(0, words, b"{}"), 5000)}
    assert paths == {*METHODS, *ADMIN_METHODS, PUBLISH}


def test_same_seed_draws_the_same_calls_and_another_one_does_not(words: Words) -> None:
    first, again, other = (list(islice(draw_calls(n, words, b"{}"), 50)) for n in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("method", METHODS.values(), ids=lambda method: method.name)
def test_drawn_requests_set_every_field_and_every_choice_sooner_or_later(
    words: Words, method: Method
) -> None:
    drawer = Drawer(random.Random(0), words)
    drawn = [drawer.message(method.request, oddness=0.1) for _ in range(300)]
    seen = {field.name for each in drawn for field, _ in each.ListFields()}
    assert seen == {field.name for field in method.request.DESCRIPTOR.fields}


def test_choice_stays_empty_now_and_then(words: Words) -> None:
    drawer = Drawer(random.Random(0), words)
    drawn = [drawer.message(pb.FindSimilarItemsRequest, oddness=0.1) for _ in range(300)]
    chosen = {each.WhichOneof("query") for each in drawn}
    assert chosen == {None, "item_id", "new_item", "vector"}


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.__name__)
def test_every_mutation_changes_what_it_is_given(mutation: Mutation) -> None:
    data = pb.RecommendRequest(k=5, request_id="something to change").SerializeToString()
    rng = random.Random(0)
    assert any(mutation(rng, bytearray(data)) != data for _ in range(20))


def test_mutated_requests_are_refused_by_the_parser_and_not_all_of_them() -> None:
    data = pb.RecommendRequest(k=5, request_id="something to change").SerializeToString()
    rng, parsed = random.Random(0), 0
    for _ in range(500):
        try:
            pb.RecommendRequest.FromString(mutate(rng, data))
        except DecodeError:
            continue
        parsed += 1
    assert 25 < parsed < 475
