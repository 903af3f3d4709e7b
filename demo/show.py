"""The demo's screens. Each asks the server through the SDK and prints what came back."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.columns import Columns
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel

from demo import draw
from demo.story import NEW_ITEM, Person
from nearfield import Client, Event, Grouping, Recommendations, SimilarItems, User

K = 10


@dataclass(frozen=True)
class Screens:
    """What prints, and whom it asks."""

    console: Console
    client: Client

    def server(self) -> None:
        """Show what the server is and holds."""
        info = self.client.server_info()
        _title(self.console, "The server", "client.server_info()")
        self.console.print(draw.facts(draw.server_facts(info)))

    def person(self, person: Person) -> Recommendations:
        """Show a person's history and what is recommended, with reasons."""
        about = f"{person.user_id} · {person.gender}, {person.age_bucket}"
        _title(self.console, f"A person: {about}", "the history, from the data set")
        self.console.print(draw.history(person))
        call = "client.recommend(user_id, k=10, grouping=PER_TYPE, explained=True)"
        _title(self.console, f"Recommendations for {person.user_id}", call)
        answer = self._recommend(User(person.user_id))
        for item_type, hits in answer.groups.items():
            self.console.print(draw.recommendations(item_type, hits))
        self.console.print(draw.footer(answer))
        return answer

    def new_item(self) -> None:
        """Show a film that no one has rated, and where it comes to lie."""
        call = "client.similar_items(NewItem(title, genres, description, year))"
        _title(self.console, "A film that the data set does not hold", call)
        words = f"{', '.join(NEW_ITEM.genres)}, {NEW_ITEM.year}\n{NEW_ITEM.description}"
        self.console.print(Panel(escape(words), title=NEW_ITEM.title, width=100))
        answer, first_ms = self._nearest_to_new()
        _, second_ms = self._nearest_to_new()
        embedding = self.client.embed_item(NEW_ITEM)
        timing = answer.info.timing
        self.console.print(draw.nearest("Nearest known items", answer.hits))
        self.console.print(
            draw.facts(
                {
                    "provenance": f"{embedding.provenance.name}, {embedding.neighbours} neighbours",
                    "timed": "the first call with this film; the connection was open",
                    "text → vector": f"{timing.featurizer_us / 1000:.1f} ms by {answer.featurizer}",
                    "HGNN → item tower": f"{timing.model_us / 1000:.1f} ms",
                    "search": f"{timing.retrieval_us / 1000:.1f} ms",
                    "in the server": f"{timing.total_us / 1000:.1f} ms",
                    "seen by the client": f"{first_ms:.1f} ms; the same call again: "
                    f"{second_ms:.1f} ms",
                }
            )
        )

    def after_three_more(
        self, person: Person, events: Sequence[Event], before: Recommendations
    ) -> None:
        """Show what three more interactions, given with the request, change."""
        call = "client.recommend(User(user_id, history=[Event(…), Event(…), Event(…)]))"
        _title(self.console, f"{person.user_id} after three more", call)
        for event in events:
            self.console.print(f"  + {escape(event.item_id)}")
        answer = self._recommend(User(person.user_id, history=events))
        tables = [
            draw.changes(item_type, hits, before.groups.get(item_type, ()))
            for item_type, hits in answer.groups.items()
        ]
        self.console.print(Columns(tables))
        self.console.print(draw.footer(answer))

    def _nearest_to_new(self) -> tuple[SimilarItems, float]:
        """Ask for the new film's neighbours; the answer, and milliseconds until it was there."""
        started = time.perf_counter()
        answer = self.client.similar_items(NEW_ITEM, k=K, titled=True)
        return answer, (time.perf_counter() - started) * 1000

    def _recommend(self, user: User) -> Recommendations:
        return self.client.recommend(
            user, k=K, grouping=Grouping.PER_TYPE, explained=True, titled=True
        )


def _title(console: Console, text: str, call: str) -> None:
    console.print()
    console.rule(f"[bold]{escape(text)}[/bold]  [dim]{escape(call)}[/dim]", align="left")
