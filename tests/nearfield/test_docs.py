import re
from pathlib import Path
from typing import Any

import nearfield
from nearfield.testing import FakeServer

ROOT = Path(nearfield.__file__).parents[1]
PAGE = ROOT / "docs" / "sdk.md"


def test_examples_of_the_page_run_one_after_the_other(server: FakeServer) -> None:
    examples = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), flags=re.DOTALL)
    assert len(examples) == 8
    names: dict[str, Any] = {"__name__": "examples"}

    for number, example in enumerate(examples):
        aimed = example.replace("localhost:50051", server.target)
        exec(compile(aimed, f"{PAGE.name}, example {number}", "exec"), names)

    assert names["vectors"].keys() == {0, 2}


def test_table_of_calls_names_every_method() -> None:
    named = set(re.findall(r"`(\w+)\(", PAGE.read_text("utf-8").split("## What can be asked")[1]))
    methods = {name for name in vars(nearfield.Client) if not name.startswith("_")}

    assert methods - {"close"} <= named
