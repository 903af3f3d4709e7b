import copy
import math
import pickle
import warnings

import numpy as np
import pytest
from numpy.typing import ArrayLike

from nearfield import (
    ArgumentError,
    ItemEmbedding,
    SpaceMismatchError,
    SpaceVector,
    similarities,
    stack,
)
from nearfield.testing import FakeServer
from tests.nearfield.conftest import Connect


def vector(*numbers: float, space_id: str = "s") -> SpaceVector:
    return SpaceVector(np.array(numbers, dtype=np.float32), space_id)


def test_similarity_is_the_cosine() -> None:
    assert vector(3, 4).similarity(vector(4, 3)) == pytest.approx(24 / 25)
    assert vector(1, 0).similarity(vector(0, 9)) == pytest.approx(0.0)
    assert vector(2, 2).similarity(vector(-1, -1)) == pytest.approx(-1.0)


def test_similarities_agree_with_a_plain_loop() -> None:
    rng = np.random.default_rng(7)
    left = [vector(*rng.normal(size=5)) for _ in range(3)]
    right = [vector(*rng.normal(size=5)) for _ in range(4)]

    found = similarities(left, right)

    assert found.dtype == np.float32
    for row, one in enumerate(left):
        for column, other in enumerate(right):
            dot = sum(a * b for a, b in zip(one.vector, other.vector, strict=True))
            norms = math.hypot(*one.vector) * math.hypot(*other.vector)
            assert found[row, column] == pytest.approx(dot / norms, abs=1e-6)


def test_vectors_of_two_spaces_are_not_compared() -> None:
    with pytest.raises(SpaceMismatchError) as caught:
        vector(1, 0).similarity(vector(1, 0, space_id="other"))

    assert caught.value.metadata == {"expected_space_id": "s", "space_id": "other"}
    with pytest.raises(SpaceMismatchError):
        similarities([vector(1, 0)], [vector(1, 0), vector(1, 0, space_id="other")])


def test_vectors_of_two_spaces_do_not_go_into_one_array() -> None:
    with pytest.raises(SpaceMismatchError):
        stack([vector(1, 0), vector(1, 0, space_id="other")])


def test_vectors_of_one_space_go_into_one_array() -> None:
    np.testing.assert_array_equal(stack([vector(1, 2), vector(3, 4)]), [[1, 2], [3, 4]])


@pytest.mark.parametrize(
    "call",
    [
        lambda: stack([]),
        lambda: similarities([], []),
        lambda: similarities([vector(1)], []),
        lambda: similarities([], [vector(1)]),
        lambda: stack([vector(1), vector(1, 2)]),
    ],
)
def test_nothing_and_other_lengths_are_refused(call: object) -> None:
    assert callable(call)
    with pytest.raises(ArgumentError):
        call()


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([[1.0, 2.0]], r"shape \(D,\), got \(1, 2\)"),
        ([], r"shape \(D,\), got \(0,\)"),
        (1.0, r"shape \(D,\), got \(\)"),
        ([1.0, math.nan], "finite"),
        ([1.0, math.inf], "finite"),
        ([1e300], "finite"),
        ([0.0, 0.0], "not all zero"),
    ],
)
def test_what_is_no_vector_is_refused(numbers: ArrayLike, expected: str) -> None:
    with pytest.raises(ArgumentError, match=expected):
        SpaceVector(np.array(numbers), "s")


def test_vector_without_a_space_is_refused() -> None:
    with pytest.raises(ArgumentError, match="space_id"):
        vector(1.0, space_id="")


def test_vector_is_a_copy_that_cannot_be_changed() -> None:
    numbers = np.array([1.0, 2.0])
    kept = SpaceVector(numbers, "s")
    numbers[0] = 9.0

    assert kept.vector.tolist() == [1.0, 2.0]
    assert not kept.vector.flags.writeable


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_vector_cannot_be_changed_after_pickling_either(protocol: int) -> None:
    read = pickle.loads(pickle.dumps(vector(1, 2), protocol))

    assert (read.vector.tolist(), read.space_id) == ([1.0, 2.0], "s")
    assert not read.vector.flags.writeable


def test_embedding_that_a_server_gave_cannot_be_changed_after_copying_it(
    server: FakeServer, connect: Connect
) -> None:
    found = connect().embed_item("book-1")

    for copied in (copy.deepcopy(found), copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert isinstance(copied, ItemEmbedding)
        assert copied.item_id == "book-1"
        assert copied.info == found.info
        np.testing.assert_array_equal(copied.vector, found.vector)
        assert not copied.vector.flags.writeable


def test_torch_takes_vectors_without_a_warning_as_the_page_says() -> None:
    torch = pytest.importorskip("torch")
    kept = vector(1, 2)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.tensor(kept.vector).tolist() == [1.0, 2.0]
        assert torch.from_numpy(stack([kept, kept])).tolist() == [[1.0, 2.0]] * 2
