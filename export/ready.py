"""What need not be computed when somebody asks: the vectors and the best items of known users.

A generation does not change, so what its networks say of a user's stored history does not either.
It is computed here once, by the steps that a server takes, and read by every server after that.
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import cpu_count

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from export.generation.generation import Ready
from features.onnx import onnxruntime
from features.progress import Progress
from features.providers import choose_providers
from retrieval.calibrate import Calibration
from retrieval.defaults import LISTED
from retrieval.evidence import HISTORY_LENGTH, Catalogue, Person
from retrieval.fused import FusedRanker
from retrieval.index import VectorIndex
from retrieval.query import Query, Selection
from retrieval.select import Selector

NO_ROW = -1
_USERS_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True, eq=False)
class Known:
    """What is known of items and users; arrays as in `GenerationContents`."""

    catalogue: Catalogue
    index: VectorIndex
    history_vectors: NDArray[np.float32]
    """(N, H), what the user tower reads a history from."""
    history_length: int
    user_features: NDArray[np.int64]
    history_indptr: NDArray[np.int64]
    history_rows: NDArray[np.int32]
    history_weight: NDArray[np.float32]
    history_seen: NDArray[np.bool_]
    calibration: Calibration | None = None


@dataclass(frozen=True, eq=False)
class _Heard:
    """A user's history.

    Shapes:
        rows: (L,) int64, newest first, of what is listened to. weight: (L,) float32.
        seen: (n,) int64 rows.
    """

    rows: NDArray[np.int64]
    weight: NDArray[np.float32]
    seen: NDArray[np.int64]


def make_ready(known: Known, *, user_tower: bytes, scorer: bytes, listed: int = LISTED) -> Ready:
    """Embed every user and find the items that suit them best.

    A user without history gets a vector, and no items: to them a server shows what is popular.
    `listed` is how many items each gets, 0 for none.
    """
    users = len(known.user_features)
    vectors = np.empty((users, known.catalogue.item_vectors.shape[1]), dtype=np.float32)
    rows = np.full((users, listed), NO_ROW, dtype=np.int32)
    scores = np.zeros((users, listed), dtype=np.float32)
    chances = np.full((users, listed), np.nan, dtype=np.float32)
    tower, ranking = _open(user_tower), _Ranking(known, _open(scorer), listed)

    def answer(first: int) -> None:
        heard = list(_histories(known, range(first, min(first + _USERS_AT_ONCE, users))))
        some = slice(first, first + len(heard))
        vectors[some] = _embed(known, tower, heard, known.user_features[some])
        for number, each in enumerate(heard if listed else ()):
            if len(each.rows):
                best = ranking.best(each, vectors[first + number])
                found = slice(len(best.rows))
                rows[first + number, found] = best.rows
                scores[first + number, found] = best.scores
                chances[first + number, found] = ranking.chances(best)

    # Side by side, so one thread each: two that share the cores wait for each other.
    with threadpool_limits(1), ThreadPoolExecutor(cpu_count()) as threads:
        parts = range(0, users, _USERS_AT_ONCE)
        with Progress("answers kept ready", unit="users", total=users) as progress:
            for first, _ in zip(parts, threads.map(answer, parts), strict=True):
                progress.reach(min(first + _USERS_AT_ONCE, users), users)
    return Ready(vectors, rows, scores, chances)


class _Ranking:
    """Both channels over one catalogue."""

    def __init__(self, known: Known, scorer: onnxruntime.InferenceSession, listed: int) -> None:
        catalogue = known.catalogue

        def score(evidence: NDArray[np.float32]) -> NDArray[np.float32]:
            return np.asarray(scorer.run(["score"], {"evidence": evidence})[0], dtype=np.float32)

        self._ranker = FusedRanker(catalogue, score)
        self._selector = Selector(known.index, catalogue.item_vectors, catalogue.item_type)
        self._listed = listed
        self._calibration = known.calibration
        self._item_type = catalogue.item_type

    def best(self, heard: _Heard, vector: NDArray[np.float32]) -> Selection:
        """Find the best items of somebody. Shapes: vector (V,)."""
        query = Query(vector, self._listed, exclude=heard.seen)
        listener = self._ranker.listen(Person(vector, heard.rows, heard.weight))
        (nearest,) = self._selector.select([self._ranker.deepen(query)])
        return self._ranker.rank(listener, query, nearest)

    def chances(self, best: Selection) -> NDArray[np.floating] | float:
        """Tell how likely each is to be chosen next; NaN where nobody knows."""
        if self._calibration is None or best.log_total is None:
            return np.nan
        shares = best.scores.astype(np.float64) - best.log_total
        return self._calibration.chances(shares, self._item_type[best.rows])


def _histories(known: Known, users: range) -> Iterator[_Heard]:
    most = max(known.history_length, HISTORY_LENGTH)
    for user in users:
        part = slice(int(known.history_indptr[user]), int(known.history_indptr[user + 1]))
        rows, weight = known.history_rows[part].astype(np.int64), known.history_weight[part]
        newest = np.flatnonzero(weight > 0)[::-1][:most]
        yield _Heard(rows[newest], weight[newest], rows[known.history_seen[part]])


def _embed(
    known: Known,
    tower: onnxruntime.InferenceSession,
    heard: list[_Heard],
    features: NDArray[np.int64],
) -> NDArray[np.float32]:
    """Run the user tower. Shapes: features (B, 3), returns (B, V), unit rows."""
    most = known.history_length
    length = min(max((len(each.rows) for each in heard), default=0), most)
    rows = np.zeros((len(heard), length), dtype=np.int64)
    weight = np.zeros((len(heard), length), dtype=np.float32)
    for place, each in enumerate(heard):
        newest = slice(min(len(each.rows), length))
        rows[place, newest] = each.rows[newest]
        weight[place, newest] = each.weight[newest]
    inputs = {
        "country": features[:, 0],
        "age": features[:, 1],
        "gender": features[:, 2],
        "history": known.history_vectors[rows],
        "history_type": known.catalogue.item_type[rows],
        "history_weight": weight,
    }
    return np.asarray(tower.run(["vector"], inputs)[0], dtype=np.float32)


def _open(model: bytes) -> onnxruntime.InferenceSession:
    """Load a network with one thread: several users are computed side by side."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=choose_providers())
