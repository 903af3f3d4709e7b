"""The catalogue as it would be had nobody chosen some of its items yet.

What the scorer learns from are people's newest choices, and of those hardly any falls on an item
that is new: it would learn that such items are never chosen. So the items are drawn into parts, and
in some of the cases each part is shown to it as new items are: without the neighbours, the
residual, the speakers and the people that choices gave them.

Source: ours; leaving an item's neighbours away to prepare for its absence is as old as DropoutNet
(Volkovs et al., NeurIPS 2017).
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from models.hgnn_checkpoint import load_hgnn
from models.tower_checkpoint import load_two_tower
from retrieval.evidence import EDGE_KINDS, Catalogue
from training.material import Material
from training.stages.towers import tower_inputs
from training.stages.unchosen import known_of_unchosen

_BY_PEOPLE = np.array([kind != "content" for kind in EDGE_KINDS])


def pretend_new(
    material: Material,
    towers: Path,
    catalogue: Catalogue,
    items: NDArray[np.bool_],
    lenders: int,
) -> Catalogue:
    """Describe some items as if nobody had chosen them yet; all others stay as they are.

    `towers` is the stage whose item vectors the catalogue holds, `lenders` how many items lend
    neighbours to one without any, as when the foundation embedded the catalogue.

    Shapes:
        items: (N,).
    """
    known = catalogue.known.copy()
    hgnn = load_hgnn(material.folder / "foundation")
    known[items] = known_of_unchosen(hgnn, material, items, lenders)
    weights = catalogue.pairs.weights.copy()
    weights[np.ix_(items[catalogue.pairs.targets], _BY_PEOPLE)] = 0
    return replace(
        catalogue,
        pairs=replace(catalogue.pairs, weights=weights),
        known=known,
        item_vectors=_without_residual(material, towers, catalogue, known, items),
        people=np.where(items, np.float32(0), catalogue.people),
    )


@torch.no_grad()
def _without_residual(
    material: Material,
    towers: Path,
    catalogue: Catalogue,
    known: NDArray[np.float32],
    items: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """Embed some items without their residuals. Shapes: known (N, H), returns (N, V)."""
    network = load_two_tower(towers)
    rows = torch.from_numpy(np.flatnonzero(items))
    if network.config.familiar_items:
        network.residual[rows] = 0
    inputs, _, _ = tower_inputs(material, known)
    vectors = catalogue.item_vectors.copy()
    vectors[items] = inputs.embed_rows(network, rows).numpy()
    return vectors
