"""The catalogue as it would be had nobody chosen some of its items yet.

What the scorer learns from are people's newest choices, and of those hardly any falls on an item
that is new: it would learn that such items are never chosen. So the items are drawn into parts, and
in some of the cases each part is shown to it as new items are: without the neighbours, the
residual, the speakers and the people that choices gave them. What a person has chosen before is
never new, so in histories every item is known as it is.

Source: ours; leaving an item's neighbours away to prepare for its absence is as old as DropoutNet
(Volkovs et al., NeurIPS 2017).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.tower_checkpoint import load_two_tower
from retrieval.evidence import EDGE_KINDS, Catalogue
from training.material import Material
from training.stages.towers import tower_inputs

_BY_PEOPLE = np.array([kind != "content" for kind in EDGE_KINDS])


class Pretence:
    """Shows items of a catalogue as new ones."""

    def __init__(self, material: Material, towers: Path, catalogue: Catalogue) -> None:
        """Take the catalogue as it is, and the stage of the towers whose item vectors it holds."""
        self._catalogue = catalogue
        self._known = material.unchosen_vectors
        self._vectors = _without_residuals(material, towers)

    def of(self, items: NDArray[np.bool_]) -> Catalogue:
        """Describe some items as if nobody had chosen them yet; all others stay as they are.

        Shapes:
            items: (N,).
        """
        catalogue, new = self._catalogue, items[:, None]
        weights = catalogue.pairs.weights.copy()
        of_new = items[catalogue.pairs.targets]
        weights[np.ix_(of_new, _BY_PEOPLE)] = 0
        return replace(
            catalogue,
            pairs=replace(catalogue.pairs, weights=weights).keep(~of_new | weights.any(axis=1)),
            known=np.where(new, self._known, catalogue.known),
            item_vectors=np.where(new, self._vectors, catalogue.item_vectors),
            people=np.where(items, np.float32(0), catalogue.people),
        )


@torch.no_grad()
def _without_residuals(material: Material, towers: Path) -> NDArray[np.float32]:
    """Embed every item as if nobody had chosen it. Shapes: returns (N, V)."""
    network = load_two_tower(towers)
    network.residual.zero_()
    inputs, _, _ = tower_inputs(material, material.unchosen_vectors)
    vectors: NDArray[np.float32] = inputs.embed_all(network).numpy()
    return vectors
