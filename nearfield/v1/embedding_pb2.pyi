from google.rpc import status_pb2 as _status_pb2
from nearfield.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EmbedItemRequest(_message.Message):
    __slots__ = ("item_id", "new_item", "dtype", "request_id")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEM_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    new_item: _types_pb2.NewItem
    dtype: _types_pb2.VectorDtype
    request_id: str
    def __init__(self, item_id: _Optional[str] = ..., new_item: _Optional[_Union[_types_pb2.NewItem, _Mapping]] = ..., dtype: _Optional[_Union[_types_pb2.VectorDtype, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ItemEmbedding(_message.Message):
    __slots__ = ("vector", "provenance", "item_id", "item_type", "neighbours", "featurizer", "warnings")
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_TYPE_FIELD_NUMBER: _ClassVar[int]
    NEIGHBOURS_FIELD_NUMBER: _ClassVar[int]
    FEATURIZER_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    vector: _types_pb2.Vector
    provenance: _types_pb2.Provenance
    item_id: str
    item_type: str
    neighbours: int
    featurizer: str
    warnings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Warning]
    def __init__(self, vector: _Optional[_Union[_types_pb2.Vector, _Mapping]] = ..., provenance: _Optional[_Union[_types_pb2.Provenance, str]] = ..., item_id: _Optional[str] = ..., item_type: _Optional[str] = ..., neighbours: _Optional[int] = ..., featurizer: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[_types_pb2.Warning, _Mapping]]] = ...) -> None: ...

class EmbedItemResponse(_message.Message):
    __slots__ = ("info", "embedding")
    INFO_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    embedding: ItemEmbedding
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., embedding: _Optional[_Union[ItemEmbedding, _Mapping]] = ...) -> None: ...

class BatchEmbedItemsRequest(_message.Message):
    __slots__ = ("requests", "request_id")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[EmbedItemRequest]
    request_id: str
    def __init__(self, requests: _Optional[_Iterable[_Union[EmbedItemRequest, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class EmbedItemResult(_message.Message):
    __slots__ = ("status", "embedding")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    status: _status_pb2.Status
    embedding: ItemEmbedding
    def __init__(self, status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., embedding: _Optional[_Union[ItemEmbedding, _Mapping]] = ...) -> None: ...

class BatchEmbedItemsResponse(_message.Message):
    __slots__ = ("info", "results")
    INFO_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    results: _containers.RepeatedCompositeFieldContainer[EmbedItemResult]
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., results: _Optional[_Iterable[_Union[EmbedItemResult, _Mapping]]] = ...) -> None: ...

class EmbedUserRequest(_message.Message):
    __slots__ = ("user", "dtype", "request_id")
    USER_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    user: _types_pb2.UserInput
    dtype: _types_pb2.VectorDtype
    request_id: str
    def __init__(self, user: _Optional[_Union[_types_pb2.UserInput, _Mapping]] = ..., dtype: _Optional[_Union[_types_pb2.VectorDtype, str]] = ..., request_id: _Optional[str] = ...) -> None: ...

class UserEmbedding(_message.Message):
    __slots__ = ("vector", "provenance", "user_id", "history_events", "warnings")
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    HISTORY_EVENTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    vector: _types_pb2.Vector
    provenance: _types_pb2.Provenance
    user_id: str
    history_events: int
    warnings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Warning]
    def __init__(self, vector: _Optional[_Union[_types_pb2.Vector, _Mapping]] = ..., provenance: _Optional[_Union[_types_pb2.Provenance, str]] = ..., user_id: _Optional[str] = ..., history_events: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[_types_pb2.Warning, _Mapping]]] = ...) -> None: ...

class EmbedUserResponse(_message.Message):
    __slots__ = ("info", "embedding")
    INFO_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    embedding: UserEmbedding
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., embedding: _Optional[_Union[UserEmbedding, _Mapping]] = ...) -> None: ...

class BatchEmbedUsersRequest(_message.Message):
    __slots__ = ("requests", "request_id")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[EmbedUserRequest]
    request_id: str
    def __init__(self, requests: _Optional[_Iterable[_Union[EmbedUserRequest, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class EmbedUserResult(_message.Message):
    __slots__ = ("status", "embedding")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    EMBEDDING_FIELD_NUMBER: _ClassVar[int]
    status: _status_pb2.Status
    embedding: UserEmbedding
    def __init__(self, status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., embedding: _Optional[_Union[UserEmbedding, _Mapping]] = ...) -> None: ...

class BatchEmbedUsersResponse(_message.Message):
    __slots__ = ("info", "results")
    INFO_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    results: _containers.RepeatedCompositeFieldContainer[EmbedUserResult]
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., results: _Optional[_Iterable[_Union[EmbedUserResult, _Mapping]]] = ...) -> None: ...
