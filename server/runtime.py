"""The networks of a generation on onnxruntime: arrays in, arrays out, no waiting inside."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from features.onnx import onnxruntime
from features.providers import CUDA, Choice, choose_providers
from server.errors import MissingProviderError

Inputs = dict[str, NDArray[Any]]
ElementT = TypeVar("ElementT")

AS_REQUESTED = 1
"""onnxruntime's number for an arena that grows by what is asked for, not by powers of two."""

ROWS_AT_ONCE = 8
"""People or items that a network computes at once on a CPU. More are not faster, short histories
are padded to longer ones, and the arena keeps the memory of the largest computation there was
(`python -m benchmarks.at_once`)."""


@dataclass(frozen=True, eq=False)
class UserInputs:
    """What the user tower reads of people.

    Shapes:
        features: (B, 3) int64, rows of the country, age and gender tables.
        history: (B, L, D), newest first; L may be 0. history_type: (B, L) int64.
        history_weight: (B, L), 0 = padding.
    """

    features: NDArray[np.int64]
    history: NDArray[np.float32]
    history_type: NDArray[np.int64]
    history_weight: NDArray[np.float32]


class Models:
    """The networks of one generation, opened and warmed up; threads may share them.

    Raises:
        MissingProviderError: CUDA was insisted on and does not run here.
    """

    def __init__(self, generation: Generation, *, choice: Choice, threads: int) -> None:
        providers = choose_providers(choice)
        self._hgnn = _open(generation.hgnn_path, providers, threads)
        self._user_tower = _open(generation.user_tower_path, providers, threads)
        self._item_tower = _open(generation.item_tower_path, providers, threads)
        self._scorer = (
            _open(generation.scorer_path, providers, threads) if generation.pairs else None
        )
        self._vector_width = generation.manifest.dimensions.vector
        self.provider: str = self._hgnn.get_providers()[0]
        """What runs the networks."""
        self.rows_at_once = sys.maxsize if self.provider == CUDA else ROWS_AT_ONCE
        """How many rows callers had better give a network at once; see `in_parts`."""
        if choice == "cuda" and self.provider != CUDA:
            raise MissingProviderError(
                f"execution_provider is cuda, but onnxruntime runs on {self.provider} here"
            )
        self._warm_up(generation)

    def embed_users(self, people: UserInputs) -> NDArray[np.float32]:
        """Run the user tower.

        Shapes:
            returns: (B, V), rows of unit norm.
        """
        inputs: Inputs = {
            "country": people.features[:, 0],
            "age": people.features[:, 1],
            "gender": people.features[:, 2],
            "history": people.history,
            "history_type": people.history_type,
            "history_weight": people.history_weight,
        }
        return _run(self._user_tower, inputs)

    def embed_graph(
        self,
        text: NDArray[np.float32],
        item_type: NDArray[np.int64],
        neighbours: tuple[NDArray[np.float32], ...],
        mask: NDArray[np.bool_],
    ) -> NDArray[np.float32]:
        """Run the HGNN for items with given neighbours.

        Shapes:
            text: (B, D0). item_type: (B,). mask: (B, S, K), K may be 0.
            neighbours: per layer (B, S, K, width of its input).
            returns: (B, D), rows of unit norm.
        """
        inputs: Inputs = {"text": text, "item_type": item_type, "mask": mask}
        inputs |= {f"neighbours_{n}": layer for n, layer in enumerate(neighbours, start=1)}
        return _run(self._hgnn, inputs)

    def embed_items(
        self,
        text: NDArray[np.float32],
        hgnn: NDArray[np.float32],
        item_type: NDArray[np.int64],
        language: NDArray[np.int64],
        genres: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Run the item tower.

        Shapes:
            text: (B, D0). hgnn: (B, D). item_type, language: (B,). genres: (B, G).
            returns: (B, V), rows of unit norm.
        """
        inputs: Inputs = {
            "text": text,
            "hgnn": hgnn,
            "item_type": item_type,
            "language": language,
            "genres": genres,
        }
        if _takes_residuals(self._item_tower):
            inputs["residual"] = np.zeros((len(text), self._vector_width), dtype=np.float32)
        return _run(self._item_tower, inputs)

    def score(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        """Run the scorer, which a generation of format 1 does not have.

        Shapes:
            evidence: (M, F), columns as in `retrieval.evidence`. returns: (M,).
        """
        assert self._scorer is not None
        outputs: Any = self._scorer.run(["score"], {"evidence": evidence})
        scores: NDArray[np.float32] = outputs[0]
        return scores

    def _warm_up(self, generation: Generation) -> None:
        """Run each network once, so that the first request does not pay for it."""
        widths = [layer.shape[1] for layer in generation.layer_inputs]
        slots = generation.manifest.num_slots
        text = np.zeros((1, widths[0]), dtype=np.float32)
        text[0, 0] = 1.0
        zero = np.zeros(1, dtype=np.int64)
        neighbours = tuple(np.zeros((1, slots, 1, width), dtype=np.float32) for width in widths)
        hgnn = self.embed_graph(text, zero, neighbours, np.zeros((1, slots, 1), dtype=np.bool_))
        genres = np.zeros((1, len(generation.item_encoder.genres)), dtype=np.float32)
        self.embed_items(text, hgnn, zero, zero, genres)
        ones = np.ones((1, 1), dtype=np.float32)
        history = generation.history_vectors[:1][None]
        nobody = np.zeros((1, 3), dtype=np.int64)
        self.embed_users(UserInputs(nobody, history, zero[None], ones))
        if self._scorer is not None:
            self.score(np.zeros((1, len(generation.manifest.evidence)), dtype=np.float32))


def in_parts(elements: Sequence[ElementT], most: int) -> Iterator[Sequence[ElementT]]:
    """Cut into parts of at most `most` elements, in order."""
    for start in range(0, len(elements), most):
        yield elements[start : start + most]


def _takes_residuals(item_tower: onnxruntime.InferenceSession) -> bool:
    """Whether the item tower has the input for residuals, which format 1 does not know."""
    return any(each.name == "residual" for each in item_tower.get_inputs())


def _open(path: Path, providers: list[str], threads: int) -> onnxruntime.InferenceSession:
    _share_arena()
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores that other micro-batches need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(path, options, providers=providers)


@cache
def _share_arena() -> None:
    """Let all networks of a process compute in one arena of memory, once for all generations.

    An arena of each network goes with its generation and leaves holes in the heap: the memory of a
    worker grew with every swap. Without any, batches take half as long again.
    Source: onnxruntime#26831.
    """
    arena = onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR
    kind = onnxruntime.OrtMemoryInfo("Cpu", arena, 0, onnxruntime.OrtMemType.DEFAULT)
    config = onnxruntime.OrtArenaCfg({"arena_extend_strategy": AS_REQUESTED})
    onnxruntime.create_and_register_allocator(kind, config)


def _run(session: onnxruntime.InferenceSession, inputs: Inputs) -> NDArray[np.float32]:
    outputs: Any = session.run(["vector"], inputs)
    vectors: NDArray[np.float32] = outputs[0]
    return vectors
