from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from typing import ClassVar as _ClassVar

DESCRIPTOR: _descriptor.FileDescriptor

class ErrorReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ERROR_REASON_UNSPECIFIED: _ClassVar[ErrorReason]
    ERROR_REASON_REQUEST_INVALID: _ClassVar[ErrorReason]
    ERROR_REASON_USER_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_ITEM_UNKNOWN: _ClassVar[ErrorReason]
    ERROR_REASON_SPACE_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURIZER_UNAVAILABLE: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURIZER_MISMATCH: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURIZER_MISSING: _ClassVar[ErrorReason]
    ERROR_REASON_FEATURIZER_FAILED: _ClassVar[ErrorReason]
    ERROR_REASON_OVERLOADED: _ClassVar[ErrorReason]
    ERROR_REASON_DEADLINE_PASSED: _ClassVar[ErrorReason]
    ERROR_REASON_SHUTTING_DOWN: _ClassVar[ErrorReason]
    ERROR_REASON_FAULT: _ClassVar[ErrorReason]
ERROR_REASON_UNSPECIFIED: ErrorReason
ERROR_REASON_REQUEST_INVALID: ErrorReason
ERROR_REASON_USER_UNKNOWN: ErrorReason
ERROR_REASON_ITEM_UNKNOWN: ErrorReason
ERROR_REASON_SPACE_MISMATCH: ErrorReason
ERROR_REASON_FEATURIZER_UNAVAILABLE: ErrorReason
ERROR_REASON_FEATURIZER_MISMATCH: ErrorReason
ERROR_REASON_FEATURIZER_MISSING: ErrorReason
ERROR_REASON_FEATURIZER_FAILED: ErrorReason
ERROR_REASON_OVERLOADED: ErrorReason
ERROR_REASON_DEADLINE_PASSED: ErrorReason
ERROR_REASON_SHUTTING_DOWN: ErrorReason
ERROR_REASON_FAULT: ErrorReason
