"""Rows that a search found, written out as hits."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from server.answers import Hit, HitList, Path, Provenance
from server.items import known_provenance
from server.lists import FoundList, Outcome
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
                    self._hit(found, place, titles=titles, popular=popular, paths=paths)
                    for place in range(len(found.selection.rows))
                ),
            )
            for found in outcome.lists
        )

    def _hit(
        self,
        found: FoundList,
        place: int,
        *,
        titles: bool,
        popular: bool,
        paths: Mapping[int, tuple[Path, ...]],
    ) -> Hit:
        catalogue = self._catalogue
        row = int(found.selection.rows[place])
        return Hit(
            item_id=catalogue.item_id(row),
            item_type=catalogue.type_name(row),
            score=float(found.selection.scores[place]),
            provenance=Provenance.FALLBACK if popular else known_provenance(catalogue, row),
            title=catalogue.title(row) if titles else "",
            paths=paths.get(row, ()),
            calibrated=_at(found.calibrated, place),
            propensity=_at(found.propensity, place),
        )


def _at(values: NDArray[np.float64] | None, place: int) -> float | None:
    return None if values is None else float(values[place])
