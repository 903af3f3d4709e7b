"""How an answer with hits shall look, read from the wire and checked field by field."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace

from nearfield.v1 import recommendation_pb2, types_pb2
from retrieval.arrange import Arrangement
from retrieval.explore import Exploration
from retrieval.quota import Quota
from server.errors import PageExpiredError
from server.fields import MAX_YEAR, FieldReader
from server.findings import Findings
from server.hit_options import FIELD, HitsRequest, hit_options, page_field, set_twice
from server.pages import Page, PageTokenError, fingerprint, read_page
from server.requests import ItemFilter, Shape, Traits

MAX_EXPLORATION = 100


@dataclass(frozen=True)
class _Asked:
    """A request for hits while it is read."""

    message: HitsRequest
    options: recommendation_pb2.HitOptions
    prefix: str
    """What goes before the names of the options' fields."""
    k: int
    findings: Findings

    @property
    def per_type(self) -> bool:
        """Whether a list for each type is asked for."""
        return self.message.grouping == types_pb2.GROUPING_PER_TYPE


class ShapeReader:
    """Reads what requests for hits share, for one server and its generation."""

    def __init__(self, fields: FieldReader, *, generation: str) -> None:
        self._fields = fields
        self._limits = fields.limits
        self._generation = generation

    def read(self, message: HitsRequest, findings: Findings) -> Shape:
        """Read how an answer with hits shall look.

        Raises:
            PageExpiredError: the page token is of another generation.
        """
        k = message.k if message.HasField("k") else self._limits.default_k
        findings.enum("grouping", "Grouping", message.grouping, types_pb2.Grouping.values())
        if older := set_twice(message):
            findings.add(FIELD, f"expected one form of the options, got {', '.join(older)} as well")
        asked = _Asked(message, *hit_options(message), k, findings)
        page = self._page(asked)
        shape = Shape(
            k=k,
            filter=self._filter(message.filter, findings),
            per_type=asked.per_type,
            titles=message.include_titles,
            arrangement=self._arrangement(asked, page),
        )
        if findings.number("k", k, 1, self._limits.max_k):
            most = self._limits.max_hits_per_call
            if self.hits(shape) > most:
                findings.add("k", f"expected at most {most} hits in all, got {self.hits(shape)}")
        return replace(shape, page=page and replace(page, seed=shape.seed))

    def hits(self, shape: Shape) -> int:
        """Count the hits that a request may bring, on all pages."""
        types = len(self._fields.types) if shape.filter.types is None else len(shape.filter.types)
        return shape.k * (types if shape.per_type else 1)

    def _page(self, asked: _Asked) -> Page | None:
        """Read which part of the list is asked for; None for all of it."""
        message, options, findings = asked.message, asked.options, asked.findings
        field = page_field(message)
        if not (options.page_token or options.page_size):
            return None
        if asked.per_type:
            findings.add(field, "expected none where grouping is PER_TYPE")
        size = options.page_size
        if not findings.number(f"{asked.prefix}page_size", size, 0, self._limits.max_k):
            return None
        if not options.page_token:
            return Page(self._generation, fingerprint(message), size)
        try:
            page = read_page(options.page_token)
        except PageTokenError as error:
            findings.add(field, str(error))
            return None
        if page.generation != self._generation:
            raise PageExpiredError(page.generation, self._generation)
        if page.fingerprint != fingerprint(message) or page.offset >= asked.k or not page.size:
            problem = "only page_size and request_id may differ from the request before"
            findings.add(field, f"expected the token of this very request: {problem}")
        return replace(page, size=size or page.size)

    def _arrangement(self, asked: _Asked, page: Page | None) -> Arrangement:
        options, prefix, findings = asked.options, asked.prefix, asked.findings
        quotas = self._quotas(asked)
        right = findings.number(f"{prefix}diversity", options.diversity, 0, 1)
        diversity = options.diversity if right else 0.0
        right = findings.number(f"{prefix}exploration", options.exploration, 0, MAX_EXPLORATION)
        if not right or not options.exploration:
            return Arrangement(quotas, diversity)
        if page is not None and page.seed is not None:
            seed = page.seed
        else:
            seed = options.seed if options.HasField("seed") else secrets.randbits(64)
        return Arrangement(quotas, diversity, Exploration(options.exploration, seed))

    def _quotas(self, asked: _Asked) -> tuple[Quota, ...]:
        given, k, findings = asked.options.quotas, asked.k, asked.findings
        field = f"{asked.prefix}quotas"
        if given and asked.per_type:
            findings.add(field, "expected none where grouping is PER_TYPE")
        if not findings.count(field, len(given), len(self._fields.types), "quotas"):
            return ()
        allowed = asked.message.filter.item_types or self._fields.types
        quotas: dict[str, Quota] = {}
        for place, each in enumerate(given):
            noted = Findings()
            self._check_quota(each, f"{field}[{place}]", k, noted)
            if not noted.violations and (each.item_type in quotas or each.item_type not in allowed):
                problem = "expected a type that passes the filter and has no quota yet"
                noted.add(f"{field}[{place}].item_type", f"{problem}, got {each.item_type!a}")
            findings.extend(noted.violations)
            if not noted.violations:
                most = each.max if each.HasField("max") else None
                quotas[each.item_type] = Quota(self._fields.types[each.item_type], each.min, most)
        together = sum(quota.least for quota in quotas.values())
        if quotas and together > k:
            findings.add(field, f"expected minimums of at most k = {k} together, got {together}")
        return tuple(quotas.values())

    def _check_quota(
        self, quota: recommendation_pb2.TypeQuota, field: str, k: int, findings: Findings
    ) -> None:
        self._fields.check_type(quota.item_type, f"{field}.item_type", findings)
        if findings.number(f"{field}.min", quota.min, 0, k) and quota.HasField("max"):
            findings.number(f"{field}.max", quota.max, quota.min, self._limits.max_k)

    def _filter(self, message: recommendation_pb2.ItemFilter, findings: Findings) -> ItemFilter:
        types = dict.fromkeys(message.item_types)
        for name in types:
            self._fields.check_type(name, "filter.item_types", findings)
        most = self._limits.max_filter_ids
        for field, ids in (
            ("filter.include_item_ids", message.include_item_ids),
            ("filter.exclude_item_ids", message.exclude_item_ids),
        ):
            self._fields.check_ids(ids, field, most, findings)
        return ItemFilter(
            types=tuple(self._fields.types.get(name, -1) for name in types) or None,
            include=tuple(message.include_item_ids) or None,
            exclude=tuple(message.exclude_item_ids),
            traits=self._traits(message, findings),
        )

    def _traits(self, message: recommendation_pb2.ItemFilter, findings: Findings) -> Traits:
        for name in ("languages", "genres", "all_genres"):
            values = self._values(name, getattr(message, name), findings)
            for place, value in enumerate(values):
                findings.category(f"filter.{name}[{place}]", value)
        for place, value in enumerate(self._values("creators", message.creators, findings)):
            findings.chars(f"filter.creators[{place}]", value, self._limits.max_title_chars)
        first = message.year_from if message.HasField("year_from") else None
        last = message.year_to if message.HasField("year_to") else None
        findings.number("filter.year_from", first or 0, -MAX_YEAR, MAX_YEAR)
        least = -MAX_YEAR if first is None else max(first, -MAX_YEAR)
        findings.number("filter.year_to", least if last is None else last, least, MAX_YEAR)
        return Traits(
            languages=tuple(dict.fromkeys(message.languages)),
            genres=tuple(dict.fromkeys(message.genres)),
            all_genres=tuple(dict.fromkeys(message.all_genres)),
            creators=tuple(dict.fromkeys(message.creators)),
            year_from=first,
            year_to=last,
        )

    def _values(self, name: str, values: Sequence[str], findings: Findings) -> Sequence[str]:
        """Check how many values a field has and that none is empty; too many count as none."""
        most = self._limits.max_filter_ids
        if not findings.count(f"filter.{name}", len(values), most, "values"):
            return ()
        for place, value in enumerate(values):
            if not value:
                findings.add(f"filter.{name}[{place}]", "expected a value, got an empty string")
        return values
