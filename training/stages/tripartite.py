"""The HGNN over a graph in which people are nodes, which the item graph is compared with.

Source: De Nadai et al., arXiv 2403.05185, compare with a graph of users, podcasts and audiobooks.
That people have no text, how many edges a node keeps and how the vectors rank are ours.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from graph.build import strong_pairs
from graph.settings import GraphSettings
from graph.with_people import graph_with_people
from training.foundation import FoundationSettings, train_foundation
from training.inference import embed_layers
from training.material import Material


def embed_with_people(
    folder: Path, material: Material, edges: GraphSettings, settings: FoundationSettings
) -> dict[str, Any]:
    """Train the HGNN over items and people, and keep the vectors of the items.

    Negatives are drawn from all nodes, people among them. A person's text is zeros: the mean of
    their items' would hold the very item whose edge is to be told from others.
    """
    items = material.graph.num_items
    pairs = strong_pairs(material.graph_train, edges.window_days)
    users = len(material.dataset.users)
    graph = graph_with_people(material.graph, pairs, users, edges.cap, seed=settings.seed)
    nobody = np.zeros((users, material.content.shape[1]), dtype=np.float32)
    text = np.concatenate([material.content, nobody])
    hgnn, progress = train_foundation(graph, text, settings, folder)
    of_items = embed_layers(hgnn, graph, text)[-1][:items]
    own = torch.from_numpy(material.content)
    with torch.no_grad():
        hgnn.join.centre(of_items, own)  # over items, as kNN ranks them
        vectors = hgnn.join(of_items, own).numpy()
    np.save(folder / "vectors.npy", vectors)
    return {"epochs": progress.epoch, "best_epoch": progress.best_epoch, "people": users}
