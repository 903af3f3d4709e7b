"""What came back, as tables of a terminal."""

from collections.abc import Mapping, Sequence

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from demo.story import Person
from nearfield import Hit, Recommendations, ServerInfo

HISTORY_SHOWN = 10


def because(hit: Hit) -> str:
    """Say in words which path led to a hit."""
    if not hit.explanation:
        return "it lies near your taste"
    path = hit.explanation[0]
    title = path.history_item_title or path.history_item_id
    if path.users:
        return f"you saw {title}, as did {path.users:,} who saw this"
    return f"you saw {title}, of the same {path.relation}"


def moved(hit: Hit, before: Sequence[Hit]) -> str:
    """Say how a hit's place changed against an earlier list."""
    places = {earlier.item_id: place for place, earlier in enumerate(before, start=1)}
    place = places.get(hit.item_id)
    return "new" if place is None else f"was {place}"


def server_facts(info: ServerInfo) -> dict[str, str]:
    """Name what a server is and holds."""
    generation, featurizer, limits = info.generation, info.featurizer, info.limits
    types = ", ".join(f"{count:,} {name}" for name, count in generation.item_types.items())
    return {
        "nearfield": f"{info.versions.nearfield}, API {info.versions.api}",
        "generation": f"{generation.name}, space {generation.space_id}",
        "as of": str(generation.as_of_time or "unknown"),
        "items": f"{generation.items:,}: {types}",
        "people": f"{generation.users:,}",
        "edges": f"{generation.edges:,}",
        "vectors": f"{generation.vector_dimensions} dimensions, {generation.index_kind} index",
        "text": f"{featurizer.name}, {featurizer.dimensions} dimensions, by {featurizer.serving}",
        "runs on": f"{info.execution_provider}, onnxruntime {info.versions.onnxruntime}",
        "limits": f"k {limits.max_k}, batch {limits.max_batch_elements}, "
        f"history {limits.max_history_events}, message {limits.max_request_bytes:,} bytes",
    }


def facts(named: Mapping[str, str]) -> Table:
    """Draw names and values."""
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim", justify="right")
    table.add_column()
    for name, value in named.items():
        table.add_row(name, escape(value))
    return table


def history(person: Person) -> Table:
    """Draw the newest part of a person's history."""
    table = Table(title=f"the newest {HISTORY_SHOWN} of {len(person.history)} ratings", width=100)
    for name in ("seen", "film", "type", "rating"):
        table.add_column(name)
    for seen in person.history[:HISTORY_SHOWN]:
        table.add_row(
            f"{seen.time:%Y-%m-%d %H:%M}", escape(seen.title), seen.item_type, "★" * seen.stars
        )
    return table


def recommendations(item_type: str, hits: Sequence[Hit]) -> Table:
    """Draw the items of one type with the reason for each."""
    table = Table(title=item_type, title_style="bold", width=120)
    table.add_column("", justify="right")
    table.add_column("title", max_width=38)
    table.add_column("score", justify="right")
    table.add_column("provenance")
    table.add_column("because")
    for place, hit in enumerate(hits, start=1):
        row = (
            str(place),
            escape(hit.title),
            f"{hit.score:.3f}",
            hit.provenance.name,
            escape(because(hit)),
        )
        table.add_row(*row)
    return table


def nearest(title: str, hits: Sequence[Hit]) -> Table:
    """Draw items with type and score."""
    table = Table(title=title, width=100)
    table.add_column("", justify="right")
    for name in ("title", "type", "score"):
        table.add_column(name)
    for place, hit in enumerate(hits, start=1):
        table.add_row(str(place), escape(hit.title), hit.item_type, f"{hit.score:.3f}")
    return table


def changes(item_type: str, hits: Sequence[Hit], before: Sequence[Hit]) -> Table:
    """Draw the items of one type with what became of the earlier list."""
    table = Table(title=item_type, title_style="bold", box=SIMPLE_HEAD)
    table.add_column("", justify="right")
    table.add_column("title", width=20, no_wrap=True)
    table.add_column("", min_width=6)
    for place, hit in enumerate(hits, start=1):
        change = moved(hit, before)
        table.add_row(
            str(place), escape(hit.title), f"[green]{change}[/]" if change == "new" else change
        )
    return table


def footer(answer: Recommendations) -> str:
    """Say in a line what an answer rests on."""
    said = "".join(f"; warning: {escape(warning.message)}" for warning in answer.warnings)
    return (
        f"[dim]{answer.provenance.name} from {answer.history_events} events, generation "
        f"{answer.generation}, {answer.info.timing.total_us / 1000:.1f} ms in the server"
        f"{said}[/dim]"
    )
