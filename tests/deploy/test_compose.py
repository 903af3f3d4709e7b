"""compose.yaml agrees with the program and with the images."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from server.check import main as check
from server.security.exposure import check_exposure
from tests.deploy.support import (
    DEPLOY,
    GRPC_PORT,
    METRICS_PORT,
    ROOT,
    SERVER_IMAGE,
    UID,
    VLLM_IMAGE,
    VLLM_PORT,
    command,
    compose,
    environment,
    flag,
    seconds,
    secret_words,
    settings,
    stages,
)

SERVICES: dict[str, dict[str, Any]] = compose()["services"]
SERVER, VLLM = SERVICES["nearfield"], SERVICES["vllm"]


def test_flags_of_the_server_are_settings_that_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(stages(SERVER_IMAGE)["cpu"]).items():
        if name.startswith("NEARFIELD_"):
            monkeypatch.setenv(name, value)
    read = settings(SERVER["command"])
    check_exposure(read.host, read.security)
    assert read.workers == 2
    assert read.vllm_url == f"http://vllm:{VLLM_PORT}/v1"
    assert f"{read.port}:{read.port}" in SERVER["ports"]
    assert read.port == GRPC_PORT


def test_folders_that_the_flags_name_are_mounted_to_be_read() -> None:
    mounts = {each["target"]: each for each in SERVER["volumes"]}
    named = [value for each in SERVER["command"] for value in re.findall(r"=(/\S+)", each)]
    named += [value for value in SERVER["environment"].values() if value.startswith("/")]
    assert len(named) == 4
    assert {value.rpartition("/")[0] for value in named} == {"/run/security"}
    assert mounts.keys() == {"/run/security", "/generations"}
    assert all(each["read_only"] for each in mounts.values())


def test_variables_of_the_check_are_its_options(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        check(["--help"], {})
    told = capsys.readouterr().out
    names = [name.removeprefix("NEARFIELD_CHECK_") for name in SERVER["environment"]]
    assert names == ["TARGET", "TLS_CA"]
    for name in names:
        assert f"--{name.lower().replace('_', '-')}" in told
    assert SERVER["environment"]["NEARFIELD_CHECK_TARGET"] == f"localhost:{GRPC_PORT}"


def test_health_is_asked_for_as_the_images_do() -> None:
    for service, path in ((SERVER, SERVER_IMAGE), (VLLM, VLLM_IMAGE)):
        stage = stages(path)["cpu"]
        (told,) = [each.value for each in stage if each.name == "HEALTHCHECK"]
        asked = service["healthcheck"]
        assert asked["test"] == ["CMD", *command_of_check(told)]
        options = dict(re.findall(r"--([a-z-]+)=(\w+)", told.partition(" CMD ")[0]))
        assert options == {
            name.replace("_", "-"): str(value) for name, value in asked.items() if name != "test"
        }


def command_of_check(told: str) -> list[str]:
    listed: list[str] = json.loads(told.partition(" CMD ")[2])
    return listed


def test_the_server_has_the_time_to_drain() -> None:
    drains = [float(flag(SERVER["command"], name)) for name in ("--drain-wait-s", "--grace-s")]
    assert sum(drains) < seconds(SERVER["stop_grace_period"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_confined(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["deploy"]["resources"]["limits"].keys() >= {"cpus", "memory", "pids"}
    assert "healthcheck" in service


def test_whoever_runs_the_server_may_be_another_but_is_the_images_user_else() -> None:
    assert re.findall(r":-(\d+)", SERVER["user"]) == [str(UID)] * 2


def test_vllm_is_reached_by_the_server_alone() -> None:
    networks = compose()["networks"]
    assert VLLM["networks"] == ["inside"]
    assert networks["inside"]["internal"] is True
    assert "ports" not in VLLM
    assert VLLM["expose"] == [flag(command(stages(VLLM_IMAGE)["cpu"], "ENTRYPOINT"), "--port")]


def test_metrics_stay_inside() -> None:
    assert flag(SERVER["command"], "--telemetry.metrics-port") == str(METRICS_PORT)
    assert SERVER["expose"] == [str(METRICS_PORT)]
    assert SERVER["ports"] == [f"{GRPC_PORT}:{GRPC_PORT}"]
    assert SERVICES["prometheus"]["ports"] == ["127.0.0.1:9090:9090"]


def test_builds_name_files_and_targets_that_are_there() -> None:
    for service in (SERVER, VLLM):
        build = service["build"]
        assert (DEPLOY / build["context"]).resolve() == ROOT
        assert build["target"] in stages(ROOT / build["dockerfile"])


PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))


def mounted(file: str) -> Path:
    """Find the file here that Prometheus finds there."""
    for each in SERVICES["prometheus"]["volumes"]:
        target = each["target"]
        if each["type"] == "bind" and (file == target or file.startswith(f"{target}/")):
            return Path(f"{DEPLOY}/{each['source']}{file.removeprefix(target)}")
    raise AssertionError(f"{file} is not mounted")


def test_prometheus_finds_its_configuration() -> None:
    config = flag(SERVICES["prometheus"]["command"], "--config.file")
    assert mounted(config).resolve() == DEPLOY / "prometheus.yml"
    for named in PROMETHEUS["rule_files"]:
        rules = mounted(f"{config.rpartition('/')[0]}/{named}")
        if not rules.parent.is_dir():
            pytest.skip("deploy/monitoring comes with the telemetry")
        assert rules.is_file()


def test_prometheus_asks_services_that_are_there_on_ports_that_they_have() -> None:
    asked = {
        target
        for job in PROMETHEUS["scrape_configs"]
        for each in job["static_configs"]
        for target in each["targets"]
    }
    assert asked == {f"{name}:{SERVICES[name]['expose'][0]}" for name in ("nearfield", "vllm")}


def test_no_secret_is_in_the_file() -> None:
    for service in SERVICES.values():
        assert secret_words(service.get("environment", {})) == set()
    text = (DEPLOY / "compose.yaml").read_text("utf-8")
    assert "BEGIN" not in text
    assert "api-key" not in text
