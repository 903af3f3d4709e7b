from google.rpc import status_pb2 as _status_pb2
from nearfield.v1 import types_pb2 as _types_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ItemFilter(_message.Message):
    __slots__ = ("item_types", "include_item_ids", "exclude_item_ids")
    ITEM_TYPES_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDE_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    item_types: _containers.RepeatedScalarFieldContainer[str]
    include_item_ids: _containers.RepeatedScalarFieldContainer[str]
    exclude_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, item_types: _Optional[_Iterable[str]] = ..., include_item_ids: _Optional[_Iterable[str]] = ..., exclude_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class RecommendRequest(_message.Message):
    __slots__ = ("user", "k", "filter", "drop_seen", "grouping", "explain", "include_titles", "request_id")
    USER_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    DROP_SEEN_FIELD_NUMBER: _ClassVar[int]
    GROUPING_FIELD_NUMBER: _ClassVar[int]
    EXPLAIN_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TITLES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    user: _types_pb2.UserInput
    k: int
    filter: ItemFilter
    drop_seen: bool
    grouping: _types_pb2.Grouping
    explain: bool
    include_titles: bool
    request_id: str
    def __init__(self, user: _Optional[_Union[_types_pb2.UserInput, _Mapping]] = ..., k: _Optional[int] = ..., filter: _Optional[_Union[ItemFilter, _Mapping]] = ..., drop_seen: _Optional[bool] = ..., grouping: _Optional[_Union[_types_pb2.Grouping, str]] = ..., explain: _Optional[bool] = ..., include_titles: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class Recommendation(_message.Message):
    __slots__ = ("hits", "groups", "provenance", "history_events", "warnings")
    HITS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_EVENTS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[_types_pb2.ItemHit]
    groups: _containers.RepeatedCompositeFieldContainer[_types_pb2.TypeHits]
    provenance: _types_pb2.Provenance
    history_events: int
    warnings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Warning]
    def __init__(self, hits: _Optional[_Iterable[_Union[_types_pb2.ItemHit, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[_types_pb2.TypeHits, _Mapping]]] = ..., provenance: _Optional[_Union[_types_pb2.Provenance, str]] = ..., history_events: _Optional[int] = ..., warnings: _Optional[_Iterable[_Union[_types_pb2.Warning, _Mapping]]] = ...) -> None: ...

class RecommendResponse(_message.Message):
    __slots__ = ("info", "recommendation")
    INFO_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATION_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    recommendation: Recommendation
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., recommendation: _Optional[_Union[Recommendation, _Mapping]] = ...) -> None: ...

class BatchRecommendRequest(_message.Message):
    __slots__ = ("requests", "request_id")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[RecommendRequest]
    request_id: str
    def __init__(self, requests: _Optional[_Iterable[_Union[RecommendRequest, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class RecommendResult(_message.Message):
    __slots__ = ("status", "recommendation")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATION_FIELD_NUMBER: _ClassVar[int]
    status: _status_pb2.Status
    recommendation: Recommendation
    def __init__(self, status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., recommendation: _Optional[_Union[Recommendation, _Mapping]] = ...) -> None: ...

class BatchRecommendResponse(_message.Message):
    __slots__ = ("info", "results")
    INFO_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    results: _containers.RepeatedCompositeFieldContainer[RecommendResult]
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., results: _Optional[_Iterable[_Union[RecommendResult, _Mapping]]] = ...) -> None: ...

class FindSimilarItemsRequest(_message.Message):
    __slots__ = ("item_id", "new_item", "vector", "k", "filter", "grouping", "include_titles", "request_id")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    NEW_ITEM_FIELD_NUMBER: _ClassVar[int]
    VECTOR_FIELD_NUMBER: _ClassVar[int]
    K_FIELD_NUMBER: _ClassVar[int]
    FILTER_FIELD_NUMBER: _ClassVar[int]
    GROUPING_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_TITLES_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    new_item: _types_pb2.NewItem
    vector: _types_pb2.Vector
    k: int
    filter: ItemFilter
    grouping: _types_pb2.Grouping
    include_titles: bool
    request_id: str
    def __init__(self, item_id: _Optional[str] = ..., new_item: _Optional[_Union[_types_pb2.NewItem, _Mapping]] = ..., vector: _Optional[_Union[_types_pb2.Vector, _Mapping]] = ..., k: _Optional[int] = ..., filter: _Optional[_Union[ItemFilter, _Mapping]] = ..., grouping: _Optional[_Union[_types_pb2.Grouping, str]] = ..., include_titles: _Optional[bool] = ..., request_id: _Optional[str] = ...) -> None: ...

class SimilarItems(_message.Message):
    __slots__ = ("hits", "groups", "provenance", "featurizer", "warnings")
    HITS_FIELD_NUMBER: _ClassVar[int]
    GROUPS_FIELD_NUMBER: _ClassVar[int]
    PROVENANCE_FIELD_NUMBER: _ClassVar[int]
    FEATURIZER_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    hits: _containers.RepeatedCompositeFieldContainer[_types_pb2.ItemHit]
    groups: _containers.RepeatedCompositeFieldContainer[_types_pb2.TypeHits]
    provenance: _types_pb2.Provenance
    featurizer: str
    warnings: _containers.RepeatedCompositeFieldContainer[_types_pb2.Warning]
    def __init__(self, hits: _Optional[_Iterable[_Union[_types_pb2.ItemHit, _Mapping]]] = ..., groups: _Optional[_Iterable[_Union[_types_pb2.TypeHits, _Mapping]]] = ..., provenance: _Optional[_Union[_types_pb2.Provenance, str]] = ..., featurizer: _Optional[str] = ..., warnings: _Optional[_Iterable[_Union[_types_pb2.Warning, _Mapping]]] = ...) -> None: ...

class FindSimilarItemsResponse(_message.Message):
    __slots__ = ("info", "similar_items")
    INFO_FIELD_NUMBER: _ClassVar[int]
    SIMILAR_ITEMS_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    similar_items: SimilarItems
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., similar_items: _Optional[_Union[SimilarItems, _Mapping]] = ...) -> None: ...

class BatchFindSimilarItemsRequest(_message.Message):
    __slots__ = ("requests", "request_id")
    REQUESTS_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    requests: _containers.RepeatedCompositeFieldContainer[FindSimilarItemsRequest]
    request_id: str
    def __init__(self, requests: _Optional[_Iterable[_Union[FindSimilarItemsRequest, _Mapping]]] = ..., request_id: _Optional[str] = ...) -> None: ...

class FindSimilarItemsResult(_message.Message):
    __slots__ = ("status", "similar_items")
    STATUS_FIELD_NUMBER: _ClassVar[int]
    SIMILAR_ITEMS_FIELD_NUMBER: _ClassVar[int]
    status: _status_pb2.Status
    similar_items: SimilarItems
    def __init__(self, status: _Optional[_Union[_status_pb2.Status, _Mapping]] = ..., similar_items: _Optional[_Union[SimilarItems, _Mapping]] = ...) -> None: ...

class BatchFindSimilarItemsResponse(_message.Message):
    __slots__ = ("info", "results")
    INFO_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    info: _types_pb2.ResponseInfo
    results: _containers.RepeatedCompositeFieldContainer[FindSimilarItemsResult]
    def __init__(self, info: _Optional[_Union[_types_pb2.ResponseInfo, _Mapping]] = ..., results: _Optional[_Iterable[_Union[FindSimilarItemsResult, _Mapping]]] = ...) -> None: ...
