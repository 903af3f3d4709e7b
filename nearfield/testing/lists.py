"""The fake's lists: quotas, diversity, exploration and pages, as the contract has them."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import TypeAlias

import grpc
import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from nearfield.enums import Reason
from nearfield.server_info import Limits
from nearfield.testing.refusals import invalid, refusal
from nearfield.testing.world import FakeWorld
from nearfield.v1 import recommendation_pb2, types_pb2

HitsRequest: TypeAlias = (
    recommendation_pb2.RecommendRequest | recommendation_pb2.FindSimilarItemsRequest
)

MAX_EXPLORATION = 100


@dataclass(frozen=True)
class FakePage:
    """The part of a list that is asked for."""

    size: int
    offset: int = 0
    seed: int | None = None

    def token(self, world: FakeWorld, request: HitsRequest) -> str:
        """Write what brings the page that follows."""
        seed = "" if self.seed is None else self.seed
        fields = (world.generation, _digest(request), self.offset + self.size, self.size, seed)
        return urlsafe_b64encode("\n".join(map(str, fields)).encode()).decode().rstrip("=")


def read_page(world: FakeWorld, request: HitsRequest) -> FakePage | None:
    """Read which page is asked for; None for the whole list.

    Raises:
        StatusError: the contract refuses it.
    """
    field = "page_token" if request.page_token else "page_size"
    if not (request.page_token or request.page_size):
        return None
    if request.grouping == types_pb2.GROUPING_PER_TYPE:
        raise invalid(field, "expected none where grouping is PER_TYPE")
    if isinstance(request, recommendation_pb2.FindSimilarItemsRequest) and request.HasField(
        "new_item"
    ):
        raise invalid(field, "expected none for a new item: embed it and page by its vector")
    if request.page_size < 0:
        raise invalid("page_size", f"expected at least 0, got {request.page_size}")
    if not request.page_token:
        return FakePage(request.page_size)
    page = _read_token(world, request)
    return replace(page, size=request.page_size or page.size)


def _read_token(world: FakeWorld, request: HitsRequest) -> FakePage:
    try:
        padded = request.page_token + "=" * (-len(request.page_token) % 4)
        generation, digest, offset, size, seed = urlsafe_b64decode(padded).decode().split("\n")
        page = FakePage(int(size), int(offset), int(seed) if seed else None)
    except ValueError as error:
        raise invalid("page_token", "expected a next_page_token of this server") from error
    if generation != world.generation:
        raise refusal(
            grpc.StatusCode.FAILED_PRECONDITION,
            Reason.PAGE_EXPIRED,
            f"page_token: is of generation {generation!r}, {world.generation} answers",
            {"generation": generation, "expected_generation": world.generation},
        )
    if digest != _digest(request):
        raise invalid("page_token", "expected the token of this very request")
    return page


def check_wishes(world: FakeWorld, request: HitsRequest, k: int, limits: Limits) -> None:
    """Refuse what no list can be made by.

    Raises:
        StatusError: the contract refuses it.
    """
    if not 0 <= request.diversity <= 1:
        raise invalid("diversity", f"expected 0 to 1, got {request.diversity}")
    if not 0 <= request.exploration <= MAX_EXPLORATION:
        raise invalid("exploration", f"expected 0 to 100, got {request.exploration}")
    if request.quotas and request.grouping == types_pb2.GROUPING_PER_TYPE:
        raise invalid("quotas", "expected none where grouping is PER_TYPE")
    _check_quotas(world, request, k, limits)


def _check_quotas(world: FakeWorld, request: HitsRequest, k: int, limits: Limits) -> None:
    types = request.filter.item_types or world.item_types
    for place, quota in enumerate(request.quotas):
        earlier = [each.item_type for each in request.quotas[:place]]
        if quota.item_type not in types or quota.item_type in earlier:
            raise invalid(f"quotas[{place}].item_type", "expected a type without a quota yet")
        if not 0 <= quota.min <= k:
            raise invalid(f"quotas[{place}].min", f"expected 0 to {k}, got {quota.min}")
        if quota.HasField("max") and not quota.min <= quota.max <= limits.max_k:
            raise invalid(f"quotas[{place}].max", f"expected {quota.min} to {limits.max_k}")
    if sum(quota.min for quota in request.quotas) > k:
        raise invalid("quotas", f"expected minimums of at most k = {k} together")


def chosen(
    world: FakeWorld,
    request: HitsRequest,
    best: Sequence[types_pb2.ItemHit],
    k: int,
    seed: int | None,
) -> list[types_pb2.ItemHit]:
    """Choose k of the hits, which are best first."""
    worth = np.array([hit.score for hit in best], dtype=np.float64)
    noisy = worth
    if seed is not None:
        noise = np.random.default_rng(seed).gumbel(size=len(best))
        noisy = worth + request.exploration * noise
    span = np.ptp(noisy) if len(noisy) else 0.0
    relevance = (noisy - noisy.min()) / span if span else np.ones(len(noisy))
    vectors = np.array([world.vector(hit.item_id) for hit in best])
    listed: list[int] = []
    while len(listed) < k:
        free = [n for n in _open(request, best, listed, k) if n not in listed]
        if not free:
            break
        closest = (vectors[free] @ vectors[listed].T).max(axis=1) if listed else 0.0
        value = (1 - request.diversity) * relevance[free] - request.diversity * closest
        listed.append(free[int(np.argmax(value))])
    if seed is not None and not request.quotas and not request.diversity:
        _tell_chances([best[n] for n in listed], worth[listed], worth, request.exploration)
    return [best[n] for n in listed]


def _open(
    request: HitsRequest, best: Sequence[types_pb2.ItemHit], listed: Sequence[int], k: int
) -> list[int]:
    """List the hits that leave enough places for every minimum, and that no maximum forbids."""
    had = Counter(best[n].item_type for n in listed)
    there = Counter(hit.item_type for hit in best)
    missing = {
        quota.item_type: max(0, min(quota.min, there[quota.item_type]) - had[quota.item_type])
        for quota in request.quotas
    }
    full = {
        quota.item_type
        for quota in request.quotas
        if quota.HasField("max") and had[quota.item_type] >= quota.max
    }
    if sum(missing.values()) >= k - len(listed):
        return [n for n, hit in enumerate(best) if missing.get(hit.item_type)]
    return [n for n, hit in enumerate(best) if hit.item_type not in full]


def _tell_chances(
    hits: Sequence[types_pb2.ItemHit],
    worth: NDArray[np.float64],
    everything: NDArray[np.float64],
    temperature: float,
) -> None:
    """Tell each hit how likely it was to come to its place given those above it."""
    top = everything.max(initial=0.0)
    left = np.exp((everything - top) / temperature).sum()
    for hit, each in zip(hits, np.exp((worth - top) / temperature), strict=True):
        hit.propensity = min(1.0, each / left)
        left -= each


def _digest(request: Message) -> str:
    plain = type(request)()
    plain.CopyFrom(request)
    for field in ("page_token", "page_size", "request_id"):
        plain.ClearField(field)
    return blake2b(plain.SerializeToString(deterministic=True), digest_size=8).hexdigest()
