"""Hypothesis strategies for any message of the contract, made from its descriptor."""

from collections.abc import Mapping, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

MOST_ELEMENTS = 4
INT32, INT64 = 2**31, 2**63

Known = Mapping[str, Sequence[Any]]
"""Values that make sense in fields of a name; without them nothing gets past the door."""

NUMBERS: Mapping[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.CPPTYPE_INT32: st.integers(-INT32, INT32 - 1),
    FieldDescriptor.CPPTYPE_INT64: st.integers(-INT64, INT64 - 1),
    FieldDescriptor.CPPTYPE_UINT32: st.integers(0, 2 * INT32 - 1),
    FieldDescriptor.CPPTYPE_UINT64: st.integers(0, 2 * INT64 - 1),
    FieldDescriptor.CPPTYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.CPPTYPE_DOUBLE: st.floats(),
    FieldDescriptor.CPPTYPE_BOOL: st.booleans(),
    FieldDescriptor.CPPTYPE_ENUM: st.integers(-1, 4) | st.sampled_from([-INT32, INT32 - 1]),
}


def messages(kind: type[Message], known: Known) -> st.SearchStrategy[Message]:
    """Make messages of a kind: any field set or not, at most one of each oneof."""
    return _parts(kind, known).map(lambda parts: kind(**parts))


def _parts(kind: type[Message], known: Known) -> st.SearchStrategy[dict[str, Any]]:
    descriptor: Any = kind.DESCRIPTOR  # of one of protobuf's two implementations
    alone = [each for each in descriptor.fields if each.containing_oneof is None]
    plain = st.fixed_dictionaries({}, optional={each.name: _values(each, known) for each in alone})
    oneofs = [st.one_of(st.just({}), *_single(each.fields, known)) for each in descriptor.oneofs]
    return st.tuples(plain, *oneofs).map(_merged)


def _single(
    fields: Sequence[FieldDescriptor], known: Known
) -> list[st.SearchStrategy[dict[str, Any]]]:
    return [st.fixed_dictionaries({each.name: _values(each, known)}) for each in fields]


def _merged(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


def _values(field: FieldDescriptor, known: Known) -> st.SearchStrategy[Any]:
    one = _value(field, known)
    return st.lists(one, max_size=MOST_ELEMENTS) if field.is_repeated else one


def _value(field: FieldDescriptor, known: Known) -> st.SearchStrategy[Any]:
    if field.message_type is not None:
        kind: type[Message] = GetMessageClass(field.message_type)
        return messages(kind, known)
    anything = NUMBERS.get(field.cpp_type)
    if anything is None:
        binary = field.type == FieldDescriptor.TYPE_BYTES
        anything = st.binary(max_size=64) if binary else st.text(max_size=600)
    sensible = known.get(field.name)
    return st.sampled_from(sensible) | anything if sensible else anything
