import numpy as np
import pytest

from nearfield.v1 import types_pb2
from server.answers import NoticeKind, Provenance
from server.stopwatch import Times
from server.wire import (
    PROVENANCES,
    STORED_AS,
    WARNING_CODES,
    read_numbers,
    write_timing,
    write_vector,
)


def test_every_provenance_has_its_number_and_every_number_its_provenance() -> None:
    assert PROVENANCES.keys() == set(Provenance)
    assert {*PROVENANCES.values(), 0} == set(types_pb2.Provenance.values())
    assert len(PROVENANCES) == len(set(PROVENANCES.values()))


def test_every_notice_has_its_code_and_every_code_its_notice() -> None:
    assert WARNING_CODES.keys() == set(NoticeKind)
    assert {*WARNING_CODES.values(), 0} == set(types_pb2.WarningCode.values())
    assert len(WARNING_CODES) == len(set(WARNING_CODES.values()))


def test_every_dtype_can_be_stored() -> None:
    assert STORED_AS.keys() == set(types_pb2.VectorDtype.values())


def test_vector_is_little_endian_whatever_the_machine() -> None:
    message = write_vector(
        np.array([1.0, -2.5], dtype=np.float32), types_pb2.VECTOR_DTYPE_UNSPECIFIED, "here"
    )
    assert message.data == bytes.fromhex("0000803f000020c0")
    assert (message.dimensions, message.space_id) == (2, "here")
    assert message.dtype == types_pb2.VECTOR_DTYPE_FLOAT32


@pytest.mark.parametrize("dtype", types_pb2.VectorDtype.values())
def test_vector_comes_back_as_it_was_sent(dtype: types_pb2.VectorDtype.ValueType) -> None:
    vector = np.random.default_rng(1).standard_normal(128).astype(np.float32)
    half = dtype == types_pb2.VECTOR_DTYPE_FLOAT16
    back = read_numbers(write_vector(vector, dtype, "here"))
    assert back.dtype == np.float32
    np.testing.assert_allclose(back, vector, rtol=1e-3 if half else 0)


def test_times_are_whole_microseconds() -> None:
    timing = write_timing(Times(model=0.0015, queue=2e-6), 0.25)
    assert (timing.total_us, timing.model_us, timing.queue_us) == (250_000, 1500, 2)
    assert timing.featurizer_us == 0


def test_slowest_takes_each_stage_by_itself_and_sums_add_up() -> None:
    slowest = Times.slowest([Times(model=1.0, queue=2.0), Times(model=3.0)])
    assert slowest == Times(model=3.0, queue=2.0)
    assert slowest + Times(validation=1.0, queue=1.0) == Times(validation=1.0, queue=3.0, model=3.0)
    assert Times.slowest([]) == Times()
