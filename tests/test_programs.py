"""Every program answers `--help` at once: nothing heavy is loaded before arguments are read."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("server", "training", "export", "features", "nearfield", "demo", "benchmarks")
HEAVY = (
    "torch",
    "torch_geometric",
    "duckdb",
    "matplotlib",
    "onnx",
    "onnxscript",
    "sklearn",
    "transformers",
)
"""What takes a second or more to import, or brings what does."""
SERVING = ("faiss", "numba", "onnxruntime", "polars", "scipy")
"""What a server needs, some tenths of a second each."""
QUICK = (
    "training",
    "training.ablations",
    "training.curves",
    "export",
    "export.encoder",
    "server",
    "server.precompile",
)
"""Programs that people start by hand, which load none of that either."""
CODE = """
import runpy, sys
program, *heavy = sys.argv[1:]
sys.argv = [program, "--help"]
try:
    runpy.run_module(program, run_name="__main__", alter_sys=True)
finally:
    print("loaded:", *[name for name in heavy if name in sys.modules], file=sys.stderr)
"""


def programs() -> Iterator[str]:
    """Every module that reads arguments when it is run."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if 'if __name__ == "__main__":' not in text or "ArgumentParser" not in text:
                continue
            parts = path.relative_to(ROOT).with_suffix("").parts
            yield ".".join(parts[:-1] if parts[-1] == "__main__" else parts)
    yield "nearfield"
    yield "server"


PROGRAMS = sorted(set(programs()) - {"benchmarks.index_libraries"})  # wants `make bench-venv`


def test_the_programs_that_the_docs_name_are_among_them() -> None:
    assert {*QUICK, "features.serve_vllm", "server.operate", "demo.run"} <= set(PROGRAMS)


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_loads_nothing_heavy(program: str) -> None:
    heavy = (*HEAVY, *SERVING) if program in QUICK else HEAVY
    command = [sys.executable, "-W", "error::RuntimeWarning", "-c", CODE, program, *heavy]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "usage: " in done.stdout
    assert done.stderr.splitlines()[-1] == "loaded:"


def named_late() -> Iterator[tuple[str, str]]:
    """Every name that a program looks up after it has read its arguments, and where it stands."""
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            if "resolve_name(" not in text:
                continue
            for node in ast.walk(ast.parse(text)):
                match node:
                    case ast.Call(
                        func=ast.Name(id="resolve_name"), args=[ast.Constant(value=str(name))]
                    ):
                        yield str(path.relative_to(ROOT)), name


NAMED_LATE = sorted(set(named_late()))


@pytest.mark.parametrize(("where", "name"), NAMED_LATE, ids=[name for _, name in NAMED_LATE])
def test_what_is_looked_up_late_is_there(where: str, name: str) -> None:
    assert callable(resolve_name(name)), where
