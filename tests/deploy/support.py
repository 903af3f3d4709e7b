"""What the files in deploy/ say: images by stage, services of compose, objects of Kubernetes."""

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from pydantic_settings import CliApp

from server.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SERVER_IMAGE = DEPLOY / "Dockerfile"
VLLM_IMAGE = DEPLOY / "vllm.Dockerfile"
TARGETS = ("cpu", "cuda")
UID = 10001
GRPC_PORT, METRICS_PORT, VLLM_PORT = 50051, 9464, 8000
LATER = () if "telemetry" in Settings.model_fields else ("--telemetry.",)
"""Flags that Settings does not have yet."""


@dataclass(frozen=True)
class Instruction:
    """One instruction of a Dockerfile."""

    name: str
    value: str


def stages(path: Path) -> dict[str, list[Instruction]]:
    """Read a Dockerfile: what is before the first FROM under "", then every stage by its name."""
    found: dict[str, list[Instruction]] = {"": []}
    stage = ""
    for each in _instructions(path.read_text("utf-8")):
        if each.name == "FROM":
            stage = each.value.rpartition(" AS ")[2]
            found[stage] = []
        found[stage].append(each)
    return found


def _instructions(text: str) -> Iterator[Instruction]:
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, value = line.strip().partition(" ")
            yield Instruction(name, " ".join(value.split()))


def values(stage: Sequence[Instruction], name: str) -> list[str]:
    """List the values of the instructions of one name."""
    return [each.value for each in stage if each.name == name]


def environment(stage: Sequence[Instruction]) -> dict[str, str]:
    """Read the variables that a stage sets."""
    pairs = [part.partition("=") for value in values(stage, "ENV") for part in shlex.split(value)]
    return {name: value for name, _, value in pairs}


def command(stage: Sequence[Instruction], name: str) -> list[str]:
    """Read an instruction in exec form."""
    (value,) = values(stage, name)
    listed: list[str] = json.loads(value.removeprefix("CMD "))
    return listed


def flag(arguments: Sequence[str], name: str) -> str:
    """Find the value of a flag, `--name=value` or `--name value`."""
    for place, each in enumerate(arguments):
        if each == name:
            return arguments[place + 1]
        if each.startswith(f"{name}="):
            return each.partition("=")[2]
    raise AssertionError(f"{name} is not among {arguments}")


def compose() -> dict[str, Any]:
    """Read compose.yaml."""
    read: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text("utf-8"))
    return read


def manifests() -> list[dict[str, Any]]:
    """Read the objects that kustomization.yaml names."""
    folder = DEPLOY / "kubernetes"
    named = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))["resources"]
    texts = [(folder / name).read_text("utf-8") for name in named]
    return [each for text in texts for each in yaml.safe_load_all(text)]


def of_kind(kind: str) -> dict[str, dict[str, Any]]:
    """Find the objects of a kind, by name."""
    return {each["metadata"]["name"]: each for each in manifests() if each["kind"] == kind}


def pod(deployment: str) -> dict[str, Any]:
    """Find what a Deployment says of its pods."""
    spec: dict[str, Any] = of_kind("Deployment")[deployment]["spec"]["template"]["spec"]
    return spec


def container(deployment: str) -> dict[str, Any]:
    """Find the one container of a Deployment."""
    (only,) = pod(deployment)["containers"]
    found: dict[str, Any] = only
    return found


def settings(arguments: Sequence[str]) -> Settings:
    """Read the server's flags as the server does, beside the environment as it is."""
    known = [each for each in arguments if not each.startswith(LATER or ("\0",))]
    return CliApp.run(Settings, cli_args=known)


def seconds(text: str) -> float:
    """Read a duration of compose."""
    match = re.fullmatch(r"(\d+)s", text)
    assert match is not None, text
    return float(match[1])


def secret_words(texts: Mapping[str, str]) -> set[str]:
    """List variables whose names are those of secrets and that have a value."""
    words = re.compile(r"key|secret|password|token", re.IGNORECASE)
    return {name for name, value in texts.items() if words.search(name) and value}
