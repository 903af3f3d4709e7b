"""The version of this package; pyproject.toml is the one place that says it."""

import tomllib
from importlib.metadata import version
from pathlib import Path


def _version() -> str:
    """Read the version: of a checkout from its pyproject.toml, else from the installed metadata."""
    pyproject = Path(__file__).parents[1] / "pyproject.toml"
    if pyproject.is_file():
        project = tomllib.loads(pyproject.read_text("utf-8")).get("project", {})
        if project.get("name") == "nearfield":
            return str(project["version"])
    return version("nearfield")


__version__ = _version()
