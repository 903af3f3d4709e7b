"""A vLLM server of our own, which lives exactly as long as we do."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import httpx

from features.errors import VllmProcessError
from features.model_files import find_packaged_encoder, vllm_python

_TAIL_LINES = 30
_POLL_S = 0.25


@dataclass(frozen=True)
class VllmProcessSettings:
    """What to start."""

    python: Path = field(default_factory=vllm_python)
    """The interpreter that has vLLM."""

    encoder: Path | None = None
    """Folder of the encoder's files. None: the packaged one in that interpreter's environment."""

    model: str = "all-MiniLM-L6-v2"
    """Name under which the encoder is served."""

    max_tokens: int = 256
    """Where texts are cut. More than the encoder was trained for makes worse vectors."""

    dtype: str = "float32"
    """Number format in vLLM. Half precision, its own choice, takes four times as long on a CPU."""

    port: int = 0
    """Port on 127.0.0.1; 0 picks a free one."""

    start_timeout_s: float = 300.0
    """Longest wait for the server to become healthy."""

    stop_timeout_s: float = 15.0
    """How long the server may take to end by itself before it is killed."""


class VllmProcess:
    """Context manager: a vLLM server on this machine, in a process group of its own.

    It ends with the `with` block, and also when this process is killed in whatever way. A server
    that is already running is never reused. On entering, `on_wait` is called with the seconds
    that have passed.

    Raises:
        VllmProcessError: on entering, the server did not become healthy; the message has the end
            of its log.
        EncoderFilesError: on entering, the encoder's files were not found.
    """

    def __init__(
        self,
        settings: VllmProcessSettings,
        *,
        on_wait: Callable[[float], None] | None = None,
    ) -> None:
        self.settings = settings
        self._on_wait = on_wait
        self._port = settings.port
        self._process: subprocess.Popen[bytes] | None = None
        self._cleanup = ExitStack()

    @property
    def base_url(self) -> str:
        """Address of the API, `/v1` included; meaningful inside the `with` block."""
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def pid(self) -> int:
        """Process id, and process group, of the server's supervisor."""
        if self._process is None:
            raise VllmProcessError("the vLLM server is not running")
        return self._process.pid

    def __enter__(self) -> Self:
        if not self.settings.python.exists():
            raise VllmProcessError(f"there is no Python with vLLM at {self.settings.python}")
        encoder = self.settings.encoder or find_packaged_encoder(self.settings.python)
        self._port = self.settings.port or _free_port()
        if _answers(self._port):
            raise VllmProcessError(f"port {self._port} on 127.0.0.1 is in use")
        with ExitStack() as stack:
            log = stack.enter_context(tempfile.TemporaryFile(prefix="vllm-", suffix=".log"))
            process = self._start(encoder, log)
            stack.callback(self._stop, process)
            self._wait_until_healthy(process, log)
            self._process = process
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process = None
        self._cleanup.close()

    def _start(self, encoder: Path, log: IO[bytes]) -> "subprocess.Popen[bytes]":
        supervisor = Path(__file__).with_name("supervise.py")
        return subprocess.Popen(
            [
                *(sys.executable, "-I", str(supervisor), str(self.settings.stop_timeout_s)),
                *self._command(encoder),
            ],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=server_environment(os.environ, on_gpu=has_gpu()),
            start_new_session=True,
        )

    def _command(self, encoder: Path) -> list[str]:
        options = {
            "--model": str(encoder),
            "--served-model-name": self.settings.model,
            "--runner": "pooling",
            "--max-model-len": str(self.settings.max_tokens),
            "--dtype": self.settings.dtype,
            "--host": "127.0.0.1",
            "--port": str(self._port),
        }
        flat = [part for option in options.items() for part in option]
        server = "vllm.entrypoints.openai.api_server"
        return [str(self.settings.python), "-m", server, "--enforce-eager", *flat]

    def _wait_until_healthy(self, process: "subprocess.Popen[bytes]", log: IO[bytes]) -> None:
        started = time.monotonic()
        while (passed := time.monotonic() - started) < self.settings.start_timeout_s:
            if process.poll() is not None:
                raise VllmProcessError(f"vLLM ended while starting. {_tail(log)}")
            if _healthy(self._port):
                return
            if self._on_wait is not None:
                self._on_wait(passed)
            time.sleep(_POLL_S)
        limit = f"{self.settings.start_timeout_s:g} s"
        raise VllmProcessError(f"vLLM was not healthy after {limit}. {_tail(log)}")

    def _stop(self, process: "subprocess.Popen[bytes]") -> None:
        assert process.stdin is not None
        process.stdin.close()  # tells the supervisor
        try:
            process.wait(self.settings.stop_timeout_s + 5)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def has_gpu() -> bool:
    """Whether an NVIDIA GPU is to be seen on this machine."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return False
    listed = subprocess.run([tool, "--list-gpus"], capture_output=True, text=True)
    return listed.returncode == 0 and listed.stdout.startswith("GPU")


def server_environment(environ: Mapping[str, str], *, on_gpu: bool) -> dict[str, str]:
    """Return the environment variables for the server: never online, on a CPU little memory."""
    said = {name: value for name, value in environ.items() if value or not name.startswith("VLLM_")}
    environment = {**said, "HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1"}
    if not on_gpu:
        environment.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # in GB; an encoder needs none
        # On a CPU vLLM computes in a process of its own, which waits for work by spinning, as does
        # the one that sends it: two cores, of which one computes. Without it all cores compute.
        environment.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    return environment


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _healthy(port: int) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=5, trust_env=False)
    except httpx.TransportError:
        return False
    return answer.is_success


def _tail(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").splitlines()[-_TAIL_LINES:]
    return "The end of its log:\n" + "\n".join(lines)
