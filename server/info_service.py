# ruff: noqa: N802 - methods have the names that the contract gives the RPCs
"""InfoService: versions, generation and every limit."""

import platform

import grpc
import numpy as np

from features.onnx import onnxruntime
from nearfield.v1 import info_pb2 as pb
from nearfield.version import __version__
from server.answering import Answering
from server.engine import Engine
from server.limits import Limits
from server.stopwatch import Times
from server.texts import Texts
from server.wire import write_moment

API = "nearfield.v1"


class InfoService:
    """Answers GetServerInfo."""

    def __init__(self, answering: Answering, engine: Engine, texts: Texts, limits: Limits) -> None:
        self._answering = answering
        self._body = describe(engine, texts, limits)

    def GetServerInfo(self, request: pb.GetServerInfoRequest) -> pb.GetServerInfoResponse:
        """Describe the server."""
        response = pb.GetServerInfoResponse(info=self._answering.info(Times()))
        response.MergeFrom(self._body)
        return response


def describe(engine: Engine, texts: Texts, limits: Limits) -> pb.GetServerInfoResponse:
    """Write everything about a server that does not change while it runs."""
    featurizer = engine.generation.manifest.featurizer
    return pb.GetServerInfoResponse(
        versions=pb.Versions(
            nearfield=__version__,
            api=API,
            onnxruntime=onnxruntime.__version__,
            grpc=grpc.__version__,
            python=platform.python_version(),
        ),
        generation=_generation(engine),
        featurizer=pb.FeaturizerInfo(
            name=featurizer.name,
            revision=featurizer.revision,
            dimensions=featurizer.dimensions,
            serving=texts.serving,
            fallback=texts.fallback,
        ),
        execution_provider=engine.models.provider,
        limits=pb.Limits(
            **limits.model_dump(),
            max_model_history_events=engine.generation.manifest.history_length,
        ),
    )


def _generation(engine: Engine) -> pb.GenerationInfo:
    generation, manifest = engine.generation, engine.generation.manifest
    sizes = np.bincount(generation.item_type, minlength=len(manifest.item_types))
    return pb.GenerationInfo(
        name=manifest.generation,
        space_id=manifest.space_id,
        format=manifest.format,
        create_time=write_moment(manifest.created),
        as_of_time=write_moment(manifest.as_of) if manifest.as_of else None,
        vector_dimensions=manifest.dimensions.vector,
        items=manifest.counts.items,
        users=manifest.counts.users,
        edges=manifest.counts.edges,
        item_types=[
            pb.ItemTypeInfo(item_type=name, items=size)
            for name, size in zip(manifest.item_types, sizes.tolist(), strict=True)
        ],
        content_relations=manifest.content_relations,
        index_kind=engine.search.index_kind,
    )
