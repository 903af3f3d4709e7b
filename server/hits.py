"""Rows that a search found, written out as hits."""

from collections.abc import Iterable, Mapping
from itertools import repeat

import numpy as np
from numpy.typing import NDArray

from server.answers import Hit, HitList, Path, Provenance
from server.items import known_provenance
from server.lists import Outcome
from server.stores.catalogue import Catalogue

NO_PATHS: Mapping[int, tuple[Path, ...]] = {}


class HitWriter:
    """Writes hits for one catalogue; threads may share it."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def lists(
        self,
        outcome: Outcome,
        *,
        titles: bool,
        popular: bool = False,
        paths: Mapping[int, tuple[Path, ...]] = NO_PATHS,
    ) -> tuple[HitList, ...]:
        """Write the lists of one search.

        `popular` says that the scores are popularity, `paths` by row what explains a hit.
        """
        return tuple(
            HitList(
                found.item_type,
                tuple(
                    self._hit(*each, titles=titles, popular=popular, paths=paths)
                    for each in zip(
                        found.selection.rows.tolist(),
                        found.selection.scores.tolist(),
                        _each(found.calibrated),
                        _each(found.propensity),
                        strict=False,  # the last two may go on for ever
                    )
                ),
            )
            for found in outcome.lists
        )

    def _hit(
        self,
        row: int,
        score: float,
        calibrated: float | None,
        propensity: float | None,
        *,
        titles: bool,
        popular: bool,
        paths: Mapping[int, tuple[Path, ...]],
    ) -> Hit:
        catalogue = self._catalogue
        return Hit(
            item_id=catalogue.item_id(row),
            item_type=catalogue.type_name(row),
            score=score,
            provenance=Provenance.FALLBACK if popular else known_provenance(catalogue, row),
            title=catalogue.title(row) if titles else "",
            paths=paths.get(row, ()),
            calibrated=calibrated,
            propensity=propensity,
        )


def _each(values: NDArray[np.float64] | None) -> Iterable[float | None]:
    return repeat(None) if values is None else values.tolist()
