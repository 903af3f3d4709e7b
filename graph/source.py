"""Which code a piece of work runs: the source of every module that it can import.

Imports are read from the source and never executed: a module's own, wherever in it they stand
(those for type checkers too), and in turn those of the modules they name, with the `__init__` of
every package on the way. So more is found than runs, and nothing less, but for what comes without
an import statement of its own:

- modules named at run time (`importlib`, a script that is started as a process): who starts one
  names it as a further entry;
- objects that the caller hands in: their modules are entries too, unless the caller says by some
  other input what they do;
- other packages and Python itself.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from graph.errors import StageError

ROOT = Path(__file__).resolve().parent.parent
_INIT = "__init__"


@dataclass(frozen=True)
class Module:
    """A module of ours."""

    name: str
    source: bytes
    is_package: bool


@cache
def read_modules(root: Path = ROOT) -> Mapping[str, Module]:
    """Read all packages of a folder, once: what is edited later does not run in this process."""
    modules = {}
    packages = (path.parent for path in root.glob(f"*/{_INIT}.py"))
    for path in (path for package in packages for path in package.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        is_package = parts[-1] == _INIT
        name = ".".join(parts[:-1] if is_package else parts)
        modules[name] = Module(name, path.read_bytes(), is_package)
    return modules


def importable(entries: Iterable[str], root: Path = ROOT) -> tuple[str, ...]:
    """Name the modules that some modules can import, themselves among them, in order.

    Raises:
        StageError: an entry is no module of ours.
    """
    modules = read_modules(root)
    waiting = list(entries)
    unknown = sorted(set(waiting) - set(modules))
    if unknown:
        raise StageError(f"code: expected modules below {root}, got {unknown[0]!r}")
    found = set[str]()
    while waiting:
        name = waiting.pop()
        if name in modules and name not in found:
            found.add(name)
            waiting.extend(_packages_of(name))
            waiting.extend(_imports(modules[name], modules))
    return tuple(sorted(found))


def code_version(entries: Iterable[str], root: Path = ROOT) -> str:
    """Hash the source of all that some modules can import.

    Raises:
        StageError: an entry is no module of ours.
    """
    digest = hashlib.sha256()
    modules = read_modules(root)
    for name in importable(entries, root):
        digest.update(name.encode() + b"\0" + modules[name].source + b"\0")
    return digest.hexdigest()[:16]


def _imports(module: Module, modules: Mapping[str, Module]) -> Iterator[str]:
    """Name what the import statements of a module may load, among it what is none of ours."""
    for node in ast.walk(_parse(module)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from (alias.name, *_packages_of(alias.name))
        elif isinstance(node, ast.ImportFrom):
            yield from _imports_from(node, module, modules)


def _imports_from(
    node: ast.ImportFrom, module: Module, modules: Mapping[str, Module]
) -> Iterator[str]:
    base = _base(node, module)
    yield from (base, *_packages_of(base))
    for alias in node.names:
        if alias.name == "*":
            yield from (name for name in modules if name.rpartition(".")[0] == base)
        else:
            yield f"{base}.{alias.name}"  # a module below, or a name that is none and is not found


def _base(node: ast.ImportFrom, module: Module) -> str:
    """Resolve what stands between `from` and `import`."""
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    above = parts[: len(parts) - node.level + module.is_package]
    return ".".join((*above, node.module) if node.module else above)


@cache
def _parse(module: Module) -> ast.Module:
    return ast.parse(module.source, module.name)


def _packages_of(name: str) -> Iterator[str]:
    """Name the packages that a module lies in; to import it runs them first."""
    while name := name.rpartition(".")[0]:
        yield name
