"""A small configuration of towers for the tests of models."""

from models.config import TowerConfig

SMALL_TOWERS = TowerConfig(
    item_types=("book", "film"),
    countries=3,
    ages=4,
    genders=3,
    languages=2,
    genres=5,
    text_dimensions=6,
    graph_dimensions=4,
    category_dimensions=2,
    hidden_dimensions=(8, 8),
    dimensions=8,
)
