"""The manifests agree with the program, with the images and with each other."""

from typing import Any

import pytest
import yaml

from server.security.exposure import check_exposure
from tests.deploy.support import (
    DEPLOY,
    GRPC_PORT,
    METRICS_PORT,
    SERVER_IMAGE,
    UID,
    VLLM_IMAGE,
    VLLM_PORT,
    container,
    environment,
    flag,
    manifests,
    of_kind,
    pod,
    settings,
    stages,
    values,
)

DEPLOYMENTS = ("nearfield", "vllm")
SERVER = container("nearfield")


def labels(deployment: str) -> dict[str, str]:
    template = of_kind("Deployment")[deployment]["spec"]["template"]
    told: dict[str, str] = template["metadata"]["labels"]
    return told


def ports(deployment: str) -> dict[str, int]:
    return {each["name"]: each["containerPort"] for each in container(deployment)["ports"]}


def test_flags_of_the_server_are_settings_that_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in environment(stages(SERVER_IMAGE)["cpu"]).items():
        if name.startswith("NEARFIELD_"):
            monkeypatch.setenv(name, value)
    read = settings(SERVER["args"])
    check_exposure(read.host, read.security)
    assert read.vllm_url == f"http://vllm:{VLLM_PORT}/v1"
    assert float(SERVER["resources"]["requests"]["cpu"]) == read.workers


def test_ports_are_those_of_the_flags_and_of_the_images() -> None:
    assert ports("nearfield") == {"grpc": GRPC_PORT, "metrics": METRICS_PORT}
    assert flag(SERVER["args"], "--port") == str(GRPC_PORT)
    assert flag(SERVER["args"], "--telemetry.metrics-port") == str(METRICS_PORT)
    assert values(stages(SERVER_IMAGE)["cpu"], "EXPOSE") == [str(GRPC_PORT)]
    assert ports("vllm") == {"http": VLLM_PORT}
    assert values(stages(VLLM_IMAGE)["cpu"], "EXPOSE") == [str(VLLM_PORT)]


def test_a_service_chooses_pods_that_are_there_and_ports_that_they_have() -> None:
    services = of_kind("Service")
    assert services.keys() == {"nearfield", "nearfield-pods", "vllm"}
    for service in services.values():
        chosen = [name for name in DEPLOYMENTS if service["spec"]["selector"] == labels(name)]
        assert len(chosen) == 1
        for each in service["spec"]["ports"]:
            assert ports(chosen[0])[each["targetPort"]] == each["port"]
    assert services["nearfield-pods"]["spec"]["clusterIP"] == "None"


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_ask_a_port_that_the_pod_has(deployment: str, probe: str) -> None:
    asked = container(deployment)[probe]["httpGet"]
    assert asked["port"] in ports(deployment)
    assert asked["port"] != "grpc"


def test_only_a_server_that_hangs_is_started_anew_and_one_that_loads_has_five_minutes() -> None:
    paths = {name: SERVER[f"{name}Probe"]["httpGet"]["path"] for name in ("liveness", "readiness")}
    assert paths == {"liveness": "/livez", "readiness": "/readyz"}
    for deployment in DEPLOYMENTS:
        starts = container(deployment)["startupProbe"]
        assert starts["periodSeconds"] * starts["failureThreshold"] == 300


def test_the_server_has_the_time_to_drain() -> None:
    drains = [float(flag(SERVER["args"], name)) for name in ("--drain-wait-s", "--grace-s")]
    assert sum(drains) + 5 <= pod("nearfield")["terminationGracePeriodSeconds"]
    readiness = SERVER["readinessProbe"]
    noticed = readiness["periodSeconds"] * readiness["failureThreshold"]
    assert noticed < drains[0]


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_pod_keeps_to_the_restricted_profile(deployment: str) -> None:
    spec, inside = pod(deployment), container(deployment)["securityContext"]
    about = spec["securityContext"]
    assert about["runAsNonRoot"] is True
    assert {about[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {UID}
    assert about["seccompProfile"] == {"type": "RuntimeDefault"}
    assert inside == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container(deployment)["resources"].keys() == {"requests", "limits"}


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_a_pod_is_told_neither_of_the_cluster_nor_of_its_services(deployment: str) -> None:
    """Else NEARFIELD_PORT would be `tcp://10.0.0.1:50051`, and VLLM_PORT alike."""
    spec = pod(deployment)
    assert spec["enableServiceLinks"] is False
    assert spec["automountServiceAccountToken"] is False
    account = of_kind("ServiceAccount")[spec["serviceAccountName"]]
    assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("deployment", DEPLOYMENTS)
def test_what_is_mounted_is_there(deployment: str) -> None:
    spec = pod(deployment)
    mounted = {each["name"]: each for each in container(deployment)["volumeMounts"]}
    volumes = {each["name"]: each for each in spec["volumes"]}
    assert mounted.keys() == volumes.keys()
    for name, volume in volumes.items():
        assert "emptyDir" in volume or mounted[name]["readOnly"] is True
    assert mounted["tmp"]["mountPath"] == "/tmp"


def test_the_server_reads_files_that_are_mounted() -> None:
    mounts = {each["mountPath"] for each in SERVER["volumeMounts"]}
    named = [each.partition("=")[2] for each in SERVER["args"] if "=/" in each]
    assert len(named) == 3
    assert {value.rpartition("/")[0] for value in named} == {"/run/security", "/run/tls"}
    assert mounts == {"/generations", "/run/security", "/run/tls", "/tmp"}
    claim = pod("nearfield")["volumes"][0]["persistentVolumeClaim"]
    assert claim["claimName"] in of_kind("PersistentVolumeClaim")


def test_scaling_and_disruptions_are_those_of_the_server() -> None:
    (scaler,) = of_kind("HorizontalPodAutoscaler").values()
    target = scaler["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "nearfield")
    assert "replicas" not in of_kind("Deployment")["nearfield"]["spec"]
    assert scaler["spec"]["minReplicas"] >= 2  # so that one may go
    (budget,) = of_kind("PodDisruptionBudget").values()
    assert budget["spec"]["selector"]["matchLabels"] == labels("nearfield")


def test_the_network_lets_in_what_is_listed_and_nothing_else() -> None:
    policies = of_kind("NetworkPolicy")
    assert policies["nothing"]["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }
    for name in DEPLOYMENTS:
        spec = policies[name]["spec"]
        assert spec["podSelector"]["matchLabels"] == labels(name)
        for rule in spec["ingress"]:
            assert rule["from"]
            assert {each["port"] for each in rule["ports"]} <= ports(name).keys()
    assert policies["vllm"]["spec"]["egress"] == []


def test_no_object_holds_a_secret() -> None:
    assert of_kind("Secret") == {}
    inside = [container(name).get("env", []) for name in DEPLOYMENTS]
    assert inside == [[], []]


def test_every_file_is_named_and_every_image_is_used() -> None:
    folder = DEPLOY / "kubernetes"
    told: dict[str, Any] = yaml.safe_load((folder / "kustomization.yaml").read_text("utf-8"))
    there = {path.name for path in folder.iterdir()} - {"kustomization.yaml"}
    assert set(told["resources"]) == there
    assert {each["name"] for each in told["images"]} == {
        container(name)["image"] for name in DEPLOYMENTS
    }
    assert {each["kind"] for each in manifests()} >= {"Namespace", "Deployment", "NetworkPolicy"}
