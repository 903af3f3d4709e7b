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
    known = dataclasses.replace(catalogue, unchosen=-catalogue.known)
    familiar = known.embed_all(towers)
    as_new = dataclasses.replace(known, known=known.unchosen)
    kept = towers.residual.detach().clone()
    with torch.no_grad():
        towers.residual.zero_()
        new = as_new.embed_all(towers)
        towers.residual.copy_(kept)
    return towers, familiar, new


def test_training_shows_each_item_whole_as_it_is_or_as_new() -> None:
    towers, familiar, new = towers_and_vectors()
    catalogue = blank_catalogue(ITEMS)
    catalogue = dataclasses.replace(catalogue, unchosen=-catalogue.known)
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


def test_training_hides_a_share_of_the_categories_and_nothing_else_does() -> None:
    towers = TwoTower(tiny_config(items=1, length=4, hidden=0.2))
    known = torch.arange(1, 4001)[:, None] * torch.tensor([1, 1, 1])
    torch.testing.assert_close(towers.eval().hide(known), known)
    torch.manual_seed(0)
    shown = towers.train().hide(known)
    hidden = shown == 0
    torch.testing.assert_close(shown[~hidden], known[~hidden])
    alone, together = 0.2 + 0.8 * 0.2, 0.2 + 0.8 * 0.2**3
    torch.testing.assert_close(
        hidden.float().mean(dim=0), torch.full((3,), alone), atol=0.03, rtol=0
    )
    assert abs(float(hidden.all(dim=1).float().mean()) - together) < 0.03
    assert TwoTower(tiny_config(items=1, length=4, hidden=0.0)).train().hide(known) is known
