"""Everything that can be set about the server: by flag, by environment, or left as it is."""

from pathlib import Path
from typing import Literal

from pydantic import (
    Field,
    NonNegativeFloat,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    ValidationInfo,
    field_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from features.providers import Choice
from server.addresses import is_unix
from server.breaker import BreakerSettings
from server.limits import Limits
from server.security.settings import SecuritySettings
from server.supervision_settings import SupervisionSettings
from server.telemetry.settings import TelemetrySettings


class Settings(BaseSettings):
    """Serve one generation of nearfield over gRPC.

    Every flag is also an environment variable: --vllm-url is NEARFIELD_VLLM_URL and
    --limits.max-k is NEARFIELD_LIMITS__MAX_K; a flag is the stronger one. Exit status: 0 after a
    drain, 2 for wrong settings, 3 for a generation that cannot be served, 4 for an address
    that cannot be listened on, 5 for a featurizer or execution provider that does not fit.
    """

    model_config = SettingsConfigDict(
        env_prefix="NEARFIELD_",
        env_nested_delimiter="__",
        env_ignore_empty=True,
        frozen=True,
        use_attribute_docstrings=True,
        cli_prog_name="python -m server",
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
    )

    generation: Path
    """Output folder of `python -m export`, whose link `current` says what is served and is watched:
    where it points elsewhere, that generation is tried and takes over. Or one generation's own
    folder, which is served for good."""
    watch_s: PositiveFloat = 1.0
    """Seconds between two looks at that link."""
    verify: bool = True
    """Check every file of the generation against its digest before serving. Off is faster to start
    and trusts the disk."""

    host: str = "127.0.0.1"
    """Address to listen on, or unix:/path for a Unix socket, which one worker alone can serve.
    Beyond this machine it takes TLS and callers; see security."""
    port: int = Field(default=50051, ge=0, le=65535)
    """Port to listen on; 0 takes a free one and prints it."""
    page_hold_s: NonNegativeFloat = 60.0
    """Seconds for which a generation that another one has replaced still gives the next pages of
    its lists; after that, or when it is replaced again, they end with PAGE_EXPIRED. Larger keeps
    two generations open for longer."""
    admin_port: int | None = Field(default=None, ge=0, le=65535)
    """Port for AdminService; 0 takes a free one and prints it. None for no such port: generations
    are then changed by the link alone."""
    admin_host: str = "127.0.0.1"
    """Address for AdminService, whatever host is, so that a server for a network does not open its
    administration to it. What holds for host holds here."""
    port_shared: bool = False
    """Let other processes listen on the same port (SO_REUSEPORT): the system gives each of them a
    part of the connections. Several workers share theirs in any case."""
    reflection: bool = True
    """Let clients ask for the contract (gRPC server reflection)."""
    connection_age_s: NonNegativeFloat = 30.0
    """Seconds after which clients are asked to connect anew, each a little earlier or later; calls
    under way are finished. Without it, clients that a worker's death sent to the others would stay
    there. 0 asks nobody. Less spreads calls sooner, and costs a connection and its handshake more
    often."""
    connection_idle_s: NonNegativeFloat = 30.0
    """Seconds after which a connection without any call is asked to leave; clients connect anew
    with their next call. 0 asks nobody."""
    handshake_timeout_s: PositiveFloat = 10.0
    """Seconds that a new connection gets for its handshakes, of TLS and of HTTP/2, before it is
    closed. Larger bears slower networks, and lets connections that say nothing hold their places
    for longer."""
    drain_wait_s: NonNegativeFloat = 1.0
    """Seconds between reporting NOT_SERVING and refusing new calls, for balancers to notice."""
    grace_s: NonNegativeFloat = 20.0
    """Seconds that calls under way get to finish after that."""

    featurizer: Literal["vllm", "onnx_text", "none"] = "vllm"
    """What embeds the text of new items. With none, new items are refused."""
    fallback_featurizer: Literal["onnx_text", "none"] = "none"
    """What steps in while vLLM cannot be reached; answers say so. Only vllm has something step in
    for it."""
    vllm_url: str = "http://127.0.0.1:8000/v1"
    """Address of vLLM's OpenAI-compatible API."""
    vllm_model: str = ""
    """Name of the model in vLLM; empty for the one that the generation's featurizer names."""
    vllm_revision: str = ""
    """Revision of the encoder's files, where vLLM runs on another machine and cannot be asked. What
    is said here is believed."""
    vllm_api_key: SecretStr = SecretStr("")
    """Key for vLLM, where it wants one."""
    vllm_timeout_s: PositiveFloat = 5.0
    """Seconds to wait for vLLM on one request before it counts as away. A call waits less where its
    own deadline is nearer. Larger bears a slower vLLM, and one that hangs is noticed later."""
    onnx_text_folder: Path | None = None
    """Folder of the exported text encoder, for onnx_text."""

    execution_provider: Choice = "auto"
    """Where the models run, onnx_text's encoder included. auto takes CUDA where it works and the
    CPU otherwise; cuda insists."""
    model_threads: PositiveInt = 1
    """Threads of onnxruntime for one micro-batch. More shorten a large batch and take cores from
    others."""
    workers: PositiveInt = 1
    """Processes that answer, all on the one port. One that dies is started anew. About the number
    of cores; the arrays of the generation are in memory once for all."""
    compute_threads: PositiveInt = 1
    """Micro-batches that a process computes at once. Under load one is the fastest, because Python
    runs one thread at a time; more let short computations pass long ones, such as searches of a
    large catalogue with filters."""
    featurizer_workers: PositiveInt = 4
    """Texts batches on their way to the featurizer at once."""
    max_micro_batch: PositiveInt = 64
    """Most requests computed together. Larger serves more per second and makes each wait longer."""
    batch_wait_us: NonNegativeInt = 0
    """Microseconds to wait for company before computing. 0 computes as soon as a worker is free;
    what comes meanwhile goes together in the next micro-batch."""

    queue_ms: PositiveFloat = 50.0
    """Longest that a call may be expected to wait for its computation and take, in milliseconds.
    Where it would be longer, or longer than half of the caller's deadline, a recommendation is made
    by a smaller search, or read from what is kept ready, and says so; other calls are refused at
    once. Larger takes in more of a burst and makes everybody wait longer."""
    pending_calls: PositiveInt = 128
    """Most calls of a process that nobody has looked at yet. gRPC itself turns away what is beyond,
    with CANCELLED and without a word. It comes to that where calls come faster than a process looks
    at them. Larger takes in more of a burst and makes everybody wait
    longer: at three times the load that can be answered, 1024 made it 15 times as long."""

    request_memory_bytes: int = Field(default=64 * 1024 * 1024, ge=16 * 1024 * 1024)
    """Memory that requests may take in a process while they are under way, in bytes, estimated from
    their parts before they are parsed. One caller gets at most half of it. What is beyond is
    refused, to be tried again. Larger takes in more large batches at once."""
    message_timeout_s: PositiveFloat = 10.0
    """Seconds that the message of a call, or the next one of a stream, gets to arrive."""

    limits: Limits = Limits()
    """What one call may ask for."""
    security: SecuritySettings = SecuritySettings()
    """Who may call, and how connections are protected."""
    breaker: BreakerSettings = BreakerSettings()
    """When a featurizer that fails is left alone."""
    supervision: SupervisionSettings = SupervisionSettings()
    """How long workers and trials may take."""
    telemetry: TelemetrySettings = TelemetrySettings()
    """Logs, metrics and traces."""

    @field_validator("workers")
    @classmethod
    def _one_on_a_unix_socket(cls, workers: int, info: ValidationInfo) -> int:
        host = info.data.get("host", "")  # absent where it was refused itself
        if workers > 1 and is_unix(host):
            raise PydanticCustomError(
                "not_shared",
                "expected 1, because host is {host}: processes cannot share a Unix socket",
                {"host": host},
            )
        return workers

    @field_validator("fallback_featurizer")
    @classmethod
    def _steps_in_for_vllm(cls, fallback: str, info: ValidationInfo) -> str:
        main = info.data.get("featurizer", "vllm")  # absent where it was refused itself
        if fallback != "none" and main != "vllm":
            raise PydanticCustomError(
                "nothing_to_step_in_for",
                "expected none, because featurizer is {main}: it would never step in",
                {"main": main},
            )
        return fallback
