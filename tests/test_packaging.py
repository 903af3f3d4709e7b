"""What others install is the SDK alone, and nothing they install may answer to our flat names."""

import subprocess
import sys
import tomllib
import zipfile
from importlib import import_module, metadata
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
ROOMS = ("features", "tables", "graph", "models", "training", "retrieval", "export", "server")
FLAT_NAMES = (*ROOMS, "demo", "benchmarks", "tests")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (built,) = folder.glob("*.whl")
    return built


def names(wheel: Path) -> list[str]:
    with zipfile.ZipFile(wheel) as archive:
        return archive.namelist()


def test_the_wheel_holds_the_sdk_and_its_metadata_alone(wheel: Path) -> None:
    top = {name.split("/")[0] for name in names(wheel)}
    version = PYPROJECT["project"]["version"]
    assert top == {"nearfield", f"nearfield-{version}.dist-info"}


def test_the_wheel_tells_type_checkers_that_it_is_typed(wheel: Path) -> None:
    assert "nearfield/py.typed" in names(wheel)


def test_the_wheel_has_every_python_file_of_the_sdk(wheel: Path) -> None:
    sources = {
        path.relative_to(ROOT).as_posix()
        for pattern in ("*.py", "*.pyi")
        for path in (ROOT / "nearfield").rglob(pattern)
    }
    packed = {name for name in names(wheel) if name.endswith((".py", ".pyi"))}
    assert packed == sources


def test_the_sdk_asks_for_little(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (told,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        lines = archive.read(told).decode().splitlines()
    asked = {
        line.split(": ")[1].split(">")[0] for line in lines if line.startswith("Requires-Dist")
    }
    assert asked == {"grpcio", "googleapis-common-protos", "numpy", "protobuf"}


def test_the_sdk_imports_what_it_asks_for_and_no_more() -> None:
    graph = grimp.build_graph("nearfield", include_external_packages=True, cache_dir=None)
    external = {name for name in graph.modules if graph.is_module_squashed(name)}
    assert external - sys.stdlib_module_names == {"google", "grpc", "numpy"}


def test_the_sdk_in_the_wheel_works_without_the_checkout(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = "import nearfield; print(nearfield.__file__); nearfield.Client('localhost:1').close()"
    command = [
        sys.executable,
        "-I",
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {code}",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(tmp_path)


@pytest.mark.parametrize("name", FLAT_NAMES)
def test_no_installed_distribution_claims_a_name_of_ours(name: str) -> None:
    assert metadata.packages_distributions().get(name, []) == []


@pytest.mark.parametrize("name", [*ROOMS, "nearfield", "demo", "benchmarks"])
def test_a_name_of_ours_is_imported_from_the_checkout(name: str) -> None:
    file = import_module(name).__file__
    assert file is not None
    assert Path(file).parent == ROOT / name
