"""Fit the scorer that fuses the towers and the pairwise channel.

It learns from the cases lent to validation: neither the towers nor the graph have seen these
choices, so the scorer sees both as they will be on tomorrow's. What it fits is a handful of
weights, by conditional logistic regression over each case's candidates, once among those of the
chosen item's type, where every type counts alike, and once among all, where each counts by how
often it is chosen.
"""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import scipy.optimize
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from graph.cases import Cases
from models.scorer import Scorer
from retrieval.evidence import NAMES, NEAREST, Catalogue, Person, gather, reach
from training.bounds import check_above_zero, check_least
from training.drawing import draw_evenly
from training.users import EmbedUsers


@dataclass(frozen=True, kw_only=True)
class FusionSettings:
    """How the scorer is fitted."""

    ridge: float = 100.0
    """Of the learned edge weights (`graph.influence`); larger trusts single neighbours less."""
    speakers: int = 100
    """Items that may speak for another one because they often came before it, beside its
    neighbours in the graph. More cost time and memory, in training and in serving."""
    max_user_items: int = 1000
    """Items per person, the newest, of which is learned what goes together. Memory and time grow
    with its square."""
    succession_decay: float = 0.8
    """How fast what came before a choice fades, per newer item (`graph.succession`)."""
    cases: int = 3000
    """Most cases to learn from, drawn, as many of every item type as there are; more settle the
    weights and take memory."""
    candidates: int = 1000
    """Most candidates of a case, drawn beside the chosen one; more take memory."""
    pretended_parts: int = 5
    """The items are drawn into so many parts, and each part is shown to the scorer in as many of
    the cases as if nobody had chosen its items yet, from which it learns what to make of new ones
    (`training.stages.pretending`); 0 leaves that to what few there are."""
    prior: float = 50.0
    """How many cases the prior counts for, under which every weight of the standardised columns
    is small. Larger trusts each column by what it tells alone, smaller by what it tells beside
    the others."""
    seed: int = 0
    """Of the drawn cases and candidates, and of the parts that are shown as new."""

    def __post_init__(self) -> None:
        check_least(self, ("cases", "speakers", "max_user_items"), 1)
        check_least(self, ("candidates",), 2)
        check_least(self, ("prior", "seed", "pretended_parts"), 0)
        if self.pretended_parts == 1:
            raise ValueError("pretended_parts: expected 0 or at least 2, for 1 makes all items new")
        check_above_zero(self, ("ridge", "succession_decay"))
        if self.succession_decay >= 1:
            raise ValueError(f"succession_decay: expected less than 1, got {self.succession_decay}")


def people_of(cases: Cases, vectors: NDArray[np.float32]) -> list[Person]:
    """Describe the people of some cases. Shapes: vectors (C, V)."""
    indptr = cases.history_indptr
    return [
        Person(
            vectors[case],
            cases.history_rows[indptr[case] : indptr[case + 1]][::-1],
            cases.history_weight[indptr[case] : indptr[case + 1]][::-1],
        )
        for case in range(len(cases))
    ]


@dataclass(frozen=True)
class _Examples:
    """Candidates of all cases, one case after the other.

    Shapes:
        evidence: (R, F). case: (R,) int64. chosen: (R,) bool, one of each case.
        of_type: (R,) bool, of the chosen item's type. item_type: (C,) int64, that type.
    """

    evidence: Tensor
    case: Tensor
    chosen: Tensor
    of_type: Tensor
    item_type: Tensor


def draw_cases(
    valid: Cases, item_type: NDArray[np.int64], settings: FusionSettings
) -> tuple[Cases, NDArray[np.float32]]:
    """Draw what the scorer learns from, as many of every type of item as there are.

    Shapes:
        item_type: (N,).
        returns: cases in their order; (T,), how many lent cases a drawn one of each type stands
            for, 0 for types without any.
    """
    rng = np.random.default_rng(settings.seed)
    lent = item_type[valid.target]
    drawn = draw_evenly(lent, settings.cases, rng)
    types = int(item_type.max()) + 1
    there, taken = (np.bincount(each, minlength=types) for each in (lent, lent[drawn]))
    return valid.take(drawn), (there / np.maximum(taken, 1)).astype(np.float32)


def fit_scorer(
    catalogue: Catalogue,
    shown: Iterable[tuple[Catalogue, Cases]],
    embed_users: EmbedUsers,
    settings: FusionSettings,
    *,
    stands_for: NDArray[np.float32] | None = None,
    nearest: int = NEAREST,
) -> Scorer:
    """Fit the weights on cases, each with the candidates as they are shown in it.

    `catalogue` is what is known of the items of histories; `nearest` items of each type, those
    nearest to the user vector, are candidates beside what the history speaks for. `stands_for`
    says how much a case of each type weighs where types compete, so that cases drawn evenly do
    not teach that types are chosen equally often (the weights of Manski and Lerman, The estimation
    of choice probabilities from choice based samples, 1977); None weighs all alike.

    Without any case that could teach, the towers' likeness alone counts, and a line on standard
    error says so.

    Shapes:
        stands_for: (T,).
    """
    scorer = Scorer()
    examples = _collect(catalogue, shown, embed_users, settings, nearest)
    if examples is None:
        tqdm.write(
            "fusion: no lent case has its answer among the candidates, so the towers' likeness "
            "alone ranks",
            file=sys.stderr,
        )
        with torch.no_grad():
            scorer.weight[NAMES.index("likeness")] = 1.0
        return scorer
    scale = examples.evidence.std(dim=0).clamp(min=1e-6)
    penalty = settings.prior / len(examples.item_type)
    columns = (examples.evidence - examples.evidence.mean(dim=0)) / scale
    alike = torch.ones(len(examples.item_type))
    weights = alike if stands_for is None else torch.from_numpy(stands_for)[examples.item_type]
    everything = torch.ones_like(examples.of_type)

    def objective(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weight = torch.from_numpy(flat).float().requires_grad_()
        scores = columns @ weight
        loss = penalty * (weight**2).sum()
        for among, weigh in ((examples.of_type, alike), (everything, weights)):
            loss = loss + _surprise(scores, examples, among, weigh) / 2
        (gradient,) = torch.autograd.grad(loss, weight)
        return float(loss.detach()), gradient.double().numpy()

    best = scipy.optimize.minimize(objective, np.zeros(len(NAMES)), jac=True, method="L-BFGS-B")
    with torch.no_grad():
        scorer.weight.copy_(torch.from_numpy(best.x).float())
        scorer.scale.copy_(scale)
    return scorer


def _collect(
    heard: Catalogue,
    shown: Iterable[tuple[Catalogue, Cases]],
    embed_users: EmbedUsers,
    settings: FusionSettings,
    nearest: int,
) -> _Examples | None:
    """Gather the candidates of the cases whose answer is among them; what is seen is none."""
    evidence: list[NDArray[np.float32]] = []
    case: list[NDArray[np.int64]] = []
    chosen: list[NDArray[np.bool_]] = []
    of_type: list[NDArray[np.bool_]] = []
    types: list[int] = []
    rng = np.random.default_rng([settings.seed, 7])
    for catalogue, cases in shown:
        for number, person in enumerate(people_of(cases, embed_users(cases))):
            target = int(cases.target[number])
            reached, barred = reach(catalogue, person), cases.barred(number)
            near = nearest_by_type(catalogue, person, nearest, barred)
            rows = np.union1d(np.setdiff1d(reached.rows, barred), near)
            if target not in rows or len(rows) < 2:
                continue  # there is nothing to find, or nothing to choose between
            rows = _drawn(rows, target, settings.candidates, rng)
            evidence.append(gather(catalogue, person, reached, rows, heard=heard))
            case.append(np.full(len(rows), len(case)))
            chosen.append(rows == target)
            types.append(int(catalogue.item_type[target]))
            of_type.append(catalogue.item_type[rows] == types[-1])
    if not evidence:
        return None
    return _Examples(
        evidence=torch.from_numpy(np.concatenate(evidence)),
        case=torch.from_numpy(np.concatenate(case)),
        chosen=torch.from_numpy(np.concatenate(chosen)),
        of_type=torch.from_numpy(np.concatenate(of_type)),
        item_type=torch.tensor(types),
    )


def _drawn(
    rows: NDArray[np.int64], target: int, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw so many of the candidates at most, the target among them; both (n,), ascending.

    All that are not chosen are as likely to be drawn, so the fitted weights tend to the same
    (McFadden, Modelling the choice of residential location, 1978).
    """
    if len(rows) <= count:
        return rows
    others = rng.choice(rows[rows != target], count - 1, replace=False)
    return np.sort(np.append(others, target))


def nearest_by_type(
    catalogue: Catalogue,
    person: Person,
    count: int,
    barred: NDArray[np.int64],
    among: NDArray[np.bool_] | None = None,
) -> NDArray[np.int64]:
    """Give the items of each type that are nearest to a person, what is barred apart.

    Shapes:
        barred: (b,) rows. among: (N,), which items there are to choose from, None for all.
        returns: (n,), ascending.
    """
    scores = catalogue.item_vectors @ person.vector
    scores[barred] = -np.inf
    if among is not None:
        scores[~among] = -np.inf
    ends = np.searchsorted(catalogue.item_type, np.arange(int(catalogue.item_type[-1]) + 2))
    found = []
    for start, end in pairwise(ends.tolist()):
        depth = min(count, end - start)
        found.append(start + np.argpartition(-scores[start:end], depth - 1)[:depth])
    rows: NDArray[np.int64] = np.sort(np.concatenate(found))
    near: NDArray[np.int64] = rows[np.isfinite(scores[rows])]
    return near


def _surprise(scores: Tensor, examples: _Examples, among: Tensor, weigh: Tensor) -> Tensor:
    """Mean over the cases, weighed, of -log softmax of the chosen one among some candidates.

    Shapes:
        scores: (R,). among: (R,) bool. weigh: (C,). returns: ().
    """
    cases = len(examples.item_type)
    score = scores.masked_fill(~among, float("-inf"))
    top = torch.full((cases,), float("-inf")).scatter_reduce(
        0, examples.case, score.detach(), "amax"
    )
    total = torch.zeros(cases).index_add(0, examples.case, (score - top[examples.case]).exp())
    chosen = scores[examples.chosen]
    return (weigh * (top + total.log() - chosen)).sum() / weigh.sum()


@dataclass(frozen=True)
class FusedRanker:
    """Rank as a server does: the scorer chooses among what both channels find.

    These are the items that the history speaks for and the `nearest` of each type, what is barred
    apart; where some items alone are asked for, those among them. Behind them come all others by
    likeness. A person without any history is shown the most popular.
    """

    name: str
    catalogue: Catalogue
    embed_users: EmbedUsers
    scorer: Scorer
    nearest: int = NEAREST

    def score(self, cases: Cases) -> NDArray[np.float32]:
        """Score the whole catalogue for each case, one case at a time."""
        return self._score_cases(cases, None)

    def score_among(self, cases: Cases, admitted: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Score for cases of whom some items alone are asked for; see `training.ranking`."""
        return self._score_cases(cases, admitted)

    def _score_cases(self, cases: Cases, admitted: NDArray[np.bool_] | None) -> NDArray[np.float32]:
        scores = np.empty((len(cases), len(self.catalogue.item_type)), dtype=np.float32)
        for number, person in enumerate(people_of(cases, self.embed_users(cases))):
            scores[number] = self._score(person, cases.barred(number), admitted)
        return scores

    def _score(
        self, person: Person, barred: NDArray[np.int64], admitted: NDArray[np.bool_] | None
    ) -> NDArray[np.float32]:
        """Score the whole catalogue for one person.

        Shapes:
            barred: (b,) rows. admitted: (N,), None for all. returns: (N,).
        """
        catalogue = self.catalogue
        if not len(person.history):
            return catalogue.people
        reached = reach(catalogue, person)
        spoken = reached.rows if admitted is None else reached.rows[admitted[reached.rows]]
        near = nearest_by_type(catalogue, person, self.nearest, barred, admitted)
        rows = np.union1d(np.setdiff1d(spoken, barred), near)
        scores: NDArray[np.float32] = catalogue.item_vectors @ person.vector
        if len(rows):
            said = self._weigh(gather(catalogue, person, reached, rows))
            scores[rows] = said - said.min() + scores.max() + 1
        return scores

    @torch.no_grad()
    def _weigh(self, evidence: NDArray[np.float32]) -> NDArray[np.float32]:
        weighed: NDArray[np.float32] = self.scorer(torch.from_numpy(evidence)).numpy()
        return weighed
