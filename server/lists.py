"""From the candidates that were found to the lists of an answer, or the page that is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from export.generation import Generation
from retrieval.arrange import Pool, arrange
from retrieval.calibrate import Calibration
from retrieval.query import Selection
from server.answers import Notice, NoticeKind
from server.plan import Ask, Plan, PlannedList
from server.requests import Shape


@dataclass(frozen=True, eq=False)
class FoundList:
    """The rows of one list of an answer.

    Shapes:
        calibrated: (n,), the chance of each row to be chosen next; None where nobody knows.
        propensity: (n,), the chance of each row to come to its place; None where nothing was left
            to chance, or nobody knows.
    """

    item_type: str | None
    """None where the list is over all types."""
    selection: Selection
    calibrated: NDArray[np.float64] | None = None
    propensity: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one search found."""

    lists: tuple[FoundList, ...]
    notices: tuple[Notice, ...]
    next_page_token: str = ""
    """Empty where there is no further page."""


class ListMaker:
    """Makes lists of the items of one generation; threads may share it."""

    def __init__(self, generation: Generation, calibration: Calibration | None) -> None:
        self._item_type = generation.item_type
        self._vectors = generation.item_vectors
        self._types = generation.manifest.item_types
        self._calibration = calibration

    def make(self, ask: Ask, plan: Plan, found: Sequence[Selection]) -> Outcome:
        """Make the lists of one answer; `found` is by query, in the order of the plan."""
        ends = np.cumsum([0, *(len(planned.queries) for planned in plan.lists)])
        whole = [
            self._whole(ask, planned, found[ends[n] : ends[n + 1]])
            for n, planned in enumerate(plan.lists)
        ]
        notices = [*plan.notices]
        for planned in whole:
            notices += self._shortfalls(ask.shape, planned)
        page = ask.shape.page
        more = page is not None and page.offset + page.size < len(whole[0].selection.rows)
        log_total = _log_total(found)
        return Outcome(
            lists=tuple(self._calibrated(_cut(each, ask.shape), log_total) for each in whole),
            notices=tuple(notices),
            next_page_token=page.next().write() if page is not None and more else "",
        )

    def _whole(self, ask: Ask, planned: PlannedList, found: Sequence[Selection]) -> FoundList:
        """Make one list, all pages of it."""
        arrangement = ask.shape.arrangement
        if arrangement.ranks_only:
            return FoundList(planned.item_type, found[0])
        rows = np.concatenate([each.rows for each in found] or [np.empty(0, dtype=np.int64)])
        scores = np.concatenate([each.scores for each in found] or [np.empty(0, dtype=np.float32)])
        order = np.lexsort((rows, -scores))
        rows, scores = rows[order], scores[order]
        # People who chose an item spread over many orders of magnitude: most would count as none.
        relevance = np.log1p(scores) if ask.vector is None else scores
        pool = Pool(rows, self._item_type[rows], relevance.astype(np.float64), self._vectors[rows])
        arranged = arrange(pool, ask.shape.k, arrangement)
        selection = Selection(
            rows[arranged.places],
            scores[arranged.places],
            sum(each.available for each in found),
        )
        return FoundList(planned.item_type, selection, propensity=arranged.propensity)

    def _shortfalls(self, shape: Shape, found: FoundList) -> list[Notice]:
        """Say why there are fewer rows than were asked for, in all or of a type."""
        notices = []
        rows, available = found.selection.rows, found.selection.available
        if len(rows) < shape.k:
            kind = f" of type {found.item_type}" if found.item_type else ""
            may = f"only {available} items{kind} may be shown"
            if len(rows) < available:
                may = f"the quotas allow only {len(rows)}"
            message = f"k: {shape.k} asked for, {may}"
            notices.append(Notice(NoticeKind.FEWER_THAN_K, "k", message))
        for place, quota in enumerate(shape.arrangement.quotas):
            count = int(np.count_nonzero(self._item_type[rows] == quota.item_type))
            if count < quota.least:
                name = self._types[quota.item_type]
                field = f"quotas[{place}].min"
                message = f"{field}: {quota.least} asked for, only {count} items of type {name}"
                notices.append(
                    Notice(NoticeKind.QUOTA_UNMET, field, f"{message} may be shown", (name,))
                )
        return notices

    def _calibrated(self, found: FoundList, log_total: float | None) -> FoundList:
        """Add the chances, where the generation knows what shares are worth."""
        if self._calibration is None or log_total is None:
            return found
        selection = found.selection
        chances = self._calibration.chances(
            selection.scores.astype(np.float64) - log_total, self._item_type[selection.rows]
        )
        return replace(found, calibrated=chances)


def _cut(found: FoundList, shape: Shape) -> FoundList:
    """Cut a list to the page that is asked for."""
    if shape.page is None:
        return found
    part = slice(shape.page.offset, shape.page.offset + shape.page.size)
    selection = replace(
        found.selection, rows=found.selection.rows[part], scores=found.selection.scores[part]
    )
    propensity = None if found.propensity is None else found.propensity[part]
    return replace(found, selection=selection, propensity=propensity)


def _log_total(found: Sequence[Selection]) -> float | None:
    """Add up the candidates of all queries; None where their scores are no logits."""
    totals = [each.log_total for each in found if each.log_total is not None]
    return float(np.logaddexp.reduce(totals)) if totals else None
