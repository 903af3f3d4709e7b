"""Items as the towers are shown them: as they are, or in training as if they were new."""

import dataclasses

import torch

from models.towers import TwoTower
from tests.support.towers import blank_catalogue, tiny_config

ITEMS = 40
ROWS = torch.arange(ITEMS)


def towers_and_vectors() -> tuple[TwoTower, torch.Tensor, torch.Tensor]:
    """Give towers, and what they make of each item with and without what choices tell."""
    torch.manual_seed(0)
    towers = TwoTower(tiny_config(items=ITEMS, length=4, shown_new=0.5))
    torch.nn.init.normal_(towers.residual)
    catalogue = blank_catalogue(ITEMS)
    known = dataclasses.replace(catalogue, unchosen=-catalogue.hgnn)
    familiar = known.embed_all(towers)
    as_new = dataclasses.replace(known, hgnn=known.unchosen)
    kept = towers.residual.detach().clone()
    with torch.no_grad():
        towers.residual.zero_()
        new = as_new.embed_all(towers)
        towers.residual.copy_(kept)
    return towers, familiar, new


def test_training_shows_each_item_whole_as_it_is_or_as_new() -> None:
    towers, familiar, new = towers_and_vectors()
    catalogue = blank_catalogue(ITEMS)
    catalogue = dataclasses.replace(catalogue, unchosen=-catalogue.hgnn)
    towers.train()
    shown = catalogue.embed(towers, ROWS).detach()
    near = [torch.isclose(shown, each, atol=1e-5).all(dim=1) for each in (familiar, new)]
    assert (near[0] ^ near[1]).all()
    assert 5 < int(near[1].sum()) < ITEMS - 5
    again = catalogue.embed(towers, ROWS).detach()
    assert not torch.equal(shown, again)


def test_outside_training_every_item_is_as_it_is() -> None:
    towers, familiar, _ = towers_and_vectors()
    catalogue = blank_catalogue(ITEMS)
    torch.testing.assert_close(catalogue.embed_rows(towers.train(), ROWS), familiar)
