import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from nearfield.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class GetServerInfoRequest(_message.Message):
    __slots__ = ("request_id",)
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    request_id: str
    def __init__(self, request_id: _Optional[str] = ...) -> None: ...

class Versions(_message.Message):
    __slots__ = ("nearfield", "api", "onnxruntime", "grpc", "python")
    NEARFIELD_FIELD_NUMBER: _ClassVar[int]
    API_FIELD_NUMBER: _ClassVar[int]
    ONNXRUNTIME_FIELD_NUMBER: _ClassVar[int]
    GRPC_FIELD_NUMBER: _ClassVar[int]
    PYTHON_FIELD_NUMBER: _ClassVar[int]
    nearfield: str
    api: str
    onnxruntime: str
    grpc: str
    python: str
    def __init__(self, nearfield: _Optional[str] = ..., api: _Optional[str] = ..., onnxruntime: _Optional[str] = ..., grpc: _Optional[str] = ..., python: _Optional[str] = ...) -> None: ...

class ItemTypeInfo(_message.Message):
    __slots__ = ("item_type", "items")
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    item_type: str
    items: int
    def __init__(self, item_type: _Optional[str] = ..., items: _Optional[int] = ...) -> None: ...

class GenerationInfo(_message.Message):
    __slots__ = ("name", "space_id", "format", "create_time", "as_of_time", "vector_dimensions", "items", "users", "edges", "item_types", "content_relations", "index_kind")
    NAME_FIELD_NUMBER: _ClassVar[int]
    SPACE_ID_FIELD_NUMBER: _ClassVar[int]
    FORMAT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    AS_OF_TIME_FIELD_NUMBER: _ClassVar[int]
    VECTOR_DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    USERS_FIELD_NUMBER: _ClassVar[int]
    EDGES_FIELD_NUMBER: _ClassVar[int]
    ITEM_TYPES_FIELD_NUMBER: _ClassVar[int]
    CONTENT_RELATIONS_FIELD_NUMBER: _ClassVar[int]
    INDEX_KIND_FIELD_NUMBER: _ClassVar[int]
    name: str
    space_id: str
    format: int
    create_time: _timestamp_pb2.Timestamp
    as_of_time: _timestamp_pb2.Timestamp
    vector_dimensions: int
    items: int
    users: int
    edges: int
    item_types: _containers.RepeatedCompositeFieldContainer[ItemTypeInfo]
    content_relations: _containers.RepeatedScalarFieldContainer[str]
    index_kind: str
    def __init__(self, name: _Optional[str] = ..., space_id: _Optional[str] = ..., format: _Optional[int] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., as_of_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., vector_dimensions: _Optional[int] = ..., items: _Optional[int] = ..., users: _Optional[int] = ..., edges: _Optional[int] = ..., item_types: _Optional[_Iterable[_Union[ItemTypeInfo, _Mapping]]] = ..., content_relations: _Optional[_Iterable[str]] = ..., index_kind: _Optional[str] = ...) -> None: ...

class FeaturizerInfo(_message.Message):
    __slots__ = ("name", "revision", "dimensions", "serving", "fallback")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REVISION_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    SERVING_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    name: str
    revision: str
    dimensions: int
    serving: str
    fallback: str
    def __init__(self, name: _Optional[str] = ..., revision: _Optional[str] = ..., dimensions: _Optional[int] = ..., serving: _Optional[str] = ..., fallback: _Optional[str] = ...) -> None: ...

class Limits(_message.Message):
    __slots__ = ("max_request_bytes", "max_response_bytes", "max_batch_elements", "max_k", "default_k", "max_hits_per_call", "max_history_events", "max_model_history_events", "max_filter_ids", "max_related_items", "max_neighbours_per_relation", "max_id_bytes", "max_title_chars", "max_description_chars", "max_genres", "max_explanation_paths", "max_concurrent_calls", "default_deadline_ms", "weak_signal_weight")
    MAX_REQUEST_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RESPONSE_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_BATCH_ELEMENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_K_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_K_FIELD_NUMBER: _ClassVar[int]
    MAX_HITS_PER_CALL_FIELD_NUMBER: _ClassVar[int]
    MAX_HISTORY_EVENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_MODEL_HISTORY_EVENTS_FIELD_NUMBER: _ClassVar[int]
    MAX_FILTER_IDS_FIELD_NUMBER: _ClassVar[int]
    MAX_RELATED_ITEMS_FIELD_NUMBER: _ClassVar[int]
    MAX_NEIGHBOURS_PER_RELATION_FIELD_NUMBER: _ClassVar[int]
    MAX_ID_BYTES_FIELD_NUMBER: _ClassVar[int]
    MAX_TITLE_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_DESCRIPTION_CHARS_FIELD_NUMBER: _ClassVar[int]
    MAX_GENRES_FIELD_NUMBER: _ClassVar[int]
    MAX_EXPLANATION_PATHS_FIELD_NUMBER: _ClassVar[int]
    MAX_CONCURRENT_CALLS_FIELD_NUMBER: _ClassVar[int]
    DEFAULT_DEADLINE_MS_FIELD_NUMBER: _ClassVar[int]
    WEAK_SIGNAL_WEIGHT_FIELD_NUMBER: _ClassVar[int]
    max_request_bytes: int
    max_response_bytes: int
    max_batch_elements: int
    max_k: int
    default_k: int
    max_hits_per_call: int
    max_history_events: int
    max_model_history_events: int
    max_filter_ids: int
    max_related_items: int
    max_neighbours_per_relation: int
    max_id_bytes: int
    max_title_chars: int
    max_description_chars: int
    max_genres: int
    max_explanation_paths: int
    max_concurrent_calls: int
    default_deadline_ms: int
    weak_signal_weight: float
    def __init__(self, max_request_bytes: _Optional[int] = ..., max_response_bytes: _Optional[int] = ..., max_batch_elements: _Optional[int] = ..., max_k: _Optional[int] = ..., default_k: _Optional[int] = ..., max_hits_per_call: _Optional[int] = ..., max_history_events: _Optional[int] = ..., max_model_history_events: _Optional[int] = ..., max_filter_ids: _Optional[int] = ..., max_related_items: _Optional[int] = ..., max_neighbours_per_relation: _Optional[int] = ..., max_id_bytes: _Optional[int] = ..., max_title_chars: _Optional[int] = ..., max_description_chars: _Optional[int] = ..., max_genres: _Optional[int] = ..., max_explanation_paths: _Optional[int] = ..., max_concurrent_calls: _Optional[int] = ..., default_deadline_ms: _Optional[int] = ..., weak_signal_weight: _Optional[float] = ...) -> None: ...

class GetServerInfoResponse(_message.Message):
    __slots__ = ("info", "versions", "generation", "featurizer", "execution_provider", "limits")
    INFO_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    GENERATION_FIELD_NUMBER: _ClassVar[int]
    FEATURIZER_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    LIMITS_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    versions: Versions
    generation: GenerationInfo
    featurizer: FeaturizerInfo
    execution_provider: str
    limits: Limits
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., versions: _Optional[_Union[Versions, _Mapping]] = ..., generation: _Optional[_Union[GenerationInfo, _Mapping]] = ..., featurizer: _Optional[_Union[FeaturizerInfo, _Mapping]] = ..., execution_provider: _Optional[str] = ..., limits: _Optional[_Union[Limits, _Mapping]] = ...) -> None: ...
