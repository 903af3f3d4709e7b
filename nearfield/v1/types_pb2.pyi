import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class VectorDtype(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    VECTOR_DTYPE_UNSPECIFIED: _ClassVar[VectorDtype]
    VECTOR_DTYPE_FLOAT32: _ClassVar[VectorDtype]
    VECTOR_DTYPE_FLOAT16: _ClassVar[VectorDtype]

class Provenance(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PROVENANCE_UNSPECIFIED: _ClassVar[Provenance]
    PROVENANCE_GRAPH: _ClassVar[Provenance]
    PROVENANCE_INDUCTIVE: _ClassVar[Provenance]
    PROVENANCE_TEXT_ONLY: _ClassVar[Provenance]
    PROVENANCE_FALLBACK: _ClassVar[Provenance]

class Signal(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SIGNAL_UNSPECIFIED: _ClassVar[Signal]
    SIGNAL_STRONG: _ClassVar[Signal]
    SIGNAL_WEAK: _ClassVar[Signal]
    SIGNAL_NEGATIVE: _ClassVar[Signal]

class Grouping(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    GROUPING_UNSPECIFIED: _ClassVar[Grouping]
    GROUPING_SINGLE_LIST: _ClassVar[Grouping]
    GROUPING_PER_TYPE: _ClassVar[Grouping]

class WarningCode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WARNING_CODE_UNSPECIFIED: _ClassVar[WarningCode]
    WARNING_CODE_UNKNOWN_USER: _ClassVar[WarningCode]
    WARNING_CODE_UNKNOWN_HISTORY_ITEMS: _ClassVar[WarningCode]
    WARNING_CODE_NO_HISTORY: _ClassVar[WarningCode]
    WARNING_CODE_HISTORY_CUT: _ClassVar[WarningCode]
    WARNING_CODE_UNKNOWN_RELATED_ITEMS: _ClassVar[WarningCode]
    WARNING_CODE_UNKNOWN_FILTER_ITEMS: _ClassVar[WarningCode]
    WARNING_CODE_FEWER_THAN_K: _ClassVar[WarningCode]
    WARNING_CODE_FALLBACK_FEATURIZER: _ClassVar[WarningCode]
    WARNING_CODE_UNKNOWN_CATEGORY: _ClassVar[WarningCode]
VECTOR_DTYPE_UNSPECIFIED: VectorDtype
VECTOR_DTYPE_FLOAT32: VectorDtype
VECTOR_DTYPE_FLOAT16: VectorDtype
PROVENANCE_UNSPECIFIED: Provenance
PROVENANCE_GRAPH: Provenance
PROVENANCE_INDUCTIVE: Provenance
PROVENANCE_TEXT_ONLY: Provenance
PROVENANCE_FALLBACK: Provenance
SIGNAL_UNSPECIFIED: Signal
SIGNAL_STRONG: Signal
SIGNAL_WEAK: Signal
SIGNAL_NEGATIVE: Signal
GROUPING_UNSPECIFIED: Grouping
GROUPING_SINGLE_LIST: Grouping
GROUPING_PER_TYPE: Grouping
WARNING_CODE_UNSPECIFIED: WarningCode
WARNING_CODE_UNKNOWN_USER: WarningCode
WARNING_CODE_UNKNOWN_HISTORY_ITEMS: WarningCode
WARNING_CODE_NO_HISTORY: WarningCode
WARNING_CODE_HISTORY_CUT: WarningCode
WARNING_CODE_UNKNOWN_RELATED_ITEMS: WarningCode
WARNING_CODE_UNKNOWN_FILTER_ITEMS: WarningCode
WARNING_CODE_FEWER_THAN_K: WarningCode
WARNING_CODE_FALLBACK_FEATURIZER: WarningCode
WARNING_CODE_UNKNOWN_CATEGORY: WarningCode

class Vector(_message.Message):
    __slots__ = ("data", "dtype", "dimensions", "space_id")
    DATA_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    SPACE_ID_FIELD_NUMBER: _ClassVar[int]
    data: bytes
    dtype: VectorDtype
    dimensions: int
    space_id: str
    def __init__(self, data: _Optional[bytes] = ..., dtype: _Optional[_Union[VectorDtype, str]] = ..., dimensions: _Optional[int] = ..., space_id: _Optional[str] = ...) -> None: ...

class HistoryEvent(_message.Message):
    __slots__ = ("item_id", "signal", "weight", "time")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SIGNAL_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    signal: Signal
    weight: float
    time: _timestamp_pb2.Timestamp
    def __init__(self, item_id: _Optional[str] = ..., signal: _Optional[_Union[Signal, str]] = ..., weight: _Optional[float] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Demographics(_message.Message):
    __slots__ = ("country", "age_bucket", "gender")
    COUNTRY_FIELD_NUMBER: _ClassVar[int]
    AGE_BUCKET_FIELD_NUMBER: _ClassVar[int]
    GENDER_FIELD_NUMBER: _ClassVar[int]
    country: str
    age_bucket: str
    gender: str
    def __init__(self, country: _Optional[str] = ..., age_bucket: _Optional[str] = ..., gender: _Optional[str] = ...) -> None: ...

class UserInput(_message.Message):
    __slots__ = ("user_id", "history", "demographics")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    DEMOGRAPHICS_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    history: _containers.RepeatedCompositeFieldContainer[HistoryEvent]
    demographics: Demographics
    def __init__(self, user_id: _Optional[str] = ..., history: _Optional[_Iterable[_Union[HistoryEvent, _Mapping]]] = ..., demographics: _Optional[_Union[Demographics, _Mapping]] = ...) -> None: ...

class NewItem(_message.Message):
    __slots__ = ("item_type", "title", "description", "genres", "language", "creator", "year", "related_item_ids")
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    GENRES_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    CREATOR_FIELD_NUMBER: _ClassVar[int]
    YEAR_FIELD_NUMBER: _ClassVar[int]
    RELATED_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_type: str
    title: str
    description: str
    genres: _containers.RepeatedScalarFieldContainer[str]
    language: str
    creator: str
    year: int
    related_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_type: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., genres: _Optional[_Iterable[str]] = ..., language: _Optional[str] = ..., creator: _Optional[str] = ..., year: _Optional[int] = ..., related_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ExplanationPath(_message.Message):
    __slots__ = ("history_item_id", "history_item_title", "relation", "users", "weight")
    HISTORY_ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_ITEM_TITLE_FIELD_NUMBER: _ClassVar[int]
    RELATION_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_FIELD_NUMBER: _ClassVar[int]
    history_item_id: str
    history_item_title: str
    relation: str
    users: int
    weight: float
    def __init__(self, history_item_id: _Optional[str] = ..., history_item_title: _Optional[str] = ..., relation: _Optional[str] = ..., users: _Optional[int] = ..., weight: _Optional[float] = ...) -> None: ...

class ItemHit(_message.Message):
    __slots__ = ("item_id", "item_type", "score", "provenance", "title", "explanation")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    item_type: str
    score: float
    provenance: Provenance
    title: str
    explanation: _containers.RepeatedCompositeFieldContainer[ExplanationPath]
    def __init__(self, item_id: _Optional[str] = ..., item_type: _Optional[str] = ..., score: _Optional[float] = ..., provenance: _Optional[_Union[Provenance, str]] = ..., title: _Optional[str] = ..., explanation: _Optional[_Iterable[_Union[ExplanationPath, _Mapping]]] = ...) -> None: ...

class TypeHits(_message.Message):
    __slots__ = ("item_type", "hits")
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    HITS_FIELD_NUMBER: _ClassVar[int]
    item_type: str
    hits: _containers.RepeatedCompositeFieldContainer[ItemHit]
    def __init__(self, item_type: _Optional[str] = ..., hits: _Optional[_Iterable[_Union[ItemHit, _Mapping]]] = ...) -> None: ...

class Warning(_message.Message):
    __slots__ = ("code", "field", "message", "values")
    CODE_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    code: WarningCode
    field: str
    message: str
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, code: _Optional[_Union[WarningCode, str]] = ..., field: _Optional[str] = ..., message: _Optional[str] = ..., values: _Optional[_Iterable[str]] = ...) -> None: ...

class Timing(_message.Message):
    __slots__ = ("total_us", "validation_us", "queue_us", "featurizer_us", "model_us", "retrieval_us")
    TOTAL_US_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_US_FIELD_NUMBER: _ClassVar[int]
    QUEUE_US_FIELD_NUMBER: _ClassVar[int]
    FEATURIZER_US_FIELD_NUMBER: _ClassVar[int]
    MODEL_US_FIELD_NUMBER: _ClassVar[int]
    RETRIEVAL_US_FIELD_NUMBER: _ClassVar[int]
    total_us: int
    validation_us: int
    queue_us: int
    featurizer_us: int
    model_us: int
    retrieval_us: int
    def __init__(self, total_us: _Optional[int] = ..., validation_us: _Optional[int] = ..., queue_us: _Optional[int] = ..., featurizer_us: _Optional[int] = ..., model_us: _Optional[int] = ..., retrieval_us: _Optional[int] = ...) -> None: ...

class ResponseInfo(_message.Message):
    __slots__ = ("generation", "space_id", "request_id", "timing")
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    SPACE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TIMING_FIELD_NUMBER: _ClassVar[int]
    generation: str
    space_id: str
    request_id: str
    timing: Timing
    def __init__(self, generation: _Optional[str] = ..., space_id: _Optional[str] = ..., request_id: _Optional[str] = ..., timing: _Optional[_Union[Timing, _Mapping]] = ...) -> None: ...
