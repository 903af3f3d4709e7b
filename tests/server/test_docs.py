"""The examples of docs/requests.md, one after the other, against a real server."""

import asyncio
import re
from pathlib import Path
from typing import Any

from server.engine import Engine
from server.shapes import MAX_EXPLORATION
from tests.server.support import running

PAGE = Path(__file__).parents[2] / "docs" / "requests.md"


async def test_examples_of_the_page_run(engine: Engine) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    assert len(examples) == 6
    async with running(engine) as client:
        address = f"127.0.0.1:{client.app.port}"

        def run() -> dict[str, Any]:
            names: dict[str, Any] = {}
            for number, example in enumerate(examples):
                aimed = example.replace("localhost:50051", address)
                exec(compile(aimed, f"{PAGE.name}, example {number}", "exec"), names)
            return names

        names = await asyncio.to_thread(run)
    assert names["drawn"].seed == 7
    assert any(hit.explanation for hit in names["reasoned"].hits)
    assert len(names["varied"].hits) == 10


def test_largest_temperature_is_the_one_that_the_contract_names() -> None:
    contract = (PAGE.parents[1] / "protos/nearfield/v1/recommendation.proto").read_text("utf-8")
    assert contract.count(f"nothing. Limit: 0 to {MAX_EXPLORATION}.") == 1
