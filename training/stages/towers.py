"""The towers' inputs from a run's material, and towers that a stage left."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from features.encode import ItemEncoder, UserEncoder
from models.tower_checkpoint import load_two_tower
from training.catalogue import Catalogue, build_catalogue, encode_users
from training.material import Material
from training.records import user_records
from training.users import EmbedUsers, UserEmbedder


def tower_inputs(
    material: Material,
    known: NDArray[np.float32],
    unchosen: NDArray[np.float32] | None = None,
) -> tuple[Catalogue, NDArray[np.int64], tuple[ItemEncoder, UserEncoder]]:
    """Encode items and people; see `training.catalogue.build_catalogue`."""
    dataset = material.dataset
    items = material.item_encoder
    people = UserEncoder.fit(user_records(dataset.users))
    catalogue = build_catalogue(dataset.items, items, material.content, known, unchosen)
    return catalogue, encode_users(dataset.users, people), (items, people)


def load_towers(
    folder: Path, material: Material, known: NDArray[np.float32]
) -> tuple[EmbedUsers, NDArray[np.float32]]:
    """Load the towers of a stage: how they embed the people of cases, and all items (N, V)."""
    towers = load_two_tower(folder)
    catalogue, users, _ = tower_inputs(material, known)
    embedder = UserEmbedder(towers, catalogue, torch.from_numpy(users))
    items = catalogue.embed_all(towers)
    return (lambda cases: embedder.embed_cases(material.hear(cases), items)), items.numpy()
