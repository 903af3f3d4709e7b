import ast
import sys
import tomllib
from importlib.resources import files
from inspect import ismodule
from pathlib import Path

import nearfield
import nearfield.testing

PACKAGE = Path(nearfield.__file__).parent
ALLOWED = {"grpc", "google", "numpy", "nearfield"} | sys.stdlib_module_names


def test_all_is_what_is_exported() -> None:
    for module in (nearfield, nearfield.testing):
        exported = {
            name
            for name, value in vars(module).items()
            if not name.startswith("_") and not ismodule(value)
        }
        dunder = {"__version__"} & set(vars(module))

        assert exported | dunder == set(module.__all__)
        assert len(module.__all__) == len(set(module.__all__))


def test_version_is_that_of_pyproject() -> None:
    pyproject = tomllib.loads((PACKAGE.parent / "pyproject.toml").read_text("utf-8"))

    assert nearfield.__version__ == pyproject["project"]["version"]


def test_package_says_that_it_is_typed() -> None:
    assert files("nearfield").joinpath("py.typed").is_file()


def test_package_needs_nothing_but_its_four_dependencies() -> None:
    strangers = {
        (path.name, name)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in _imported(node)
        if name.partition(".")[0] not in ALLOWED
    }

    assert strangers == set()


def _imported(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=str(module), level=0):
            return [module]
    return []
