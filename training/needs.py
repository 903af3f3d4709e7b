"""Which stages of a run a model is fitted on: nothing else has to be made to evaluate it."""

from collections.abc import Iterable, Mapping

from training.peers import PEERS

_TEXT = frozenset({"text"})
_FOUNDATION = _TEXT | {"graph", "foundation"}
_ADAPTATION = _FOUNDATION | {"adaptation"}
NEEDS: Mapping[str, frozenset[str]] = {
    "popularity": frozenset(),
    "text-knn": _TEXT,
    "item-cosine": frozenset(),
    **{key: _TEXT if peer.reads_text else frozenset() for key, peer in PEERS.items()},
    "hgnn-knn": _FOUNDATION,
    "2t": _TEXT | {"two_tower"},
    "2t-hgnn": _ADAPTATION,
    "nearfield": _ADAPTATION | {"fusion"},
}
"""Stages by a model's name on the command line, the data set apart, which all need."""


def needed_stages(models: Iterable[str]) -> frozenset[str]:
    """Name the stages that some models need together."""
    return frozenset().union(*(NEEDS[name] for name in models))
