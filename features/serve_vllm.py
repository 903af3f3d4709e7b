"""A vLLM server in the foreground, for servers to embed new items with; Ctrl-C ends it.

python -m features.serve_vllm --port 8000
"""

import argparse
import signal
import sys
from collections.abc import Sequence

from features.errors import FeatureError
from features.vllm_process import VllmProcess, VllmProcessSettings

LARGEST_PORT = 65535


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; 0 then, 1 with a message when vLLM does not start."""
    parser = argparse.ArgumentParser(
        prog="python -m features.serve_vllm",
        description="Serve the packaged sentence encoder by vLLM on 127.0.0.1; Ctrl-C ends it.",
    )
    parser.add_argument(
        "--port", type=_port, default=8000, help="0 takes a free one; default: %(default)s"
    )
    options = parser.parse_args(arguments)
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    try:
        with VllmProcess(VllmProcessSettings(port=options.port)) as server:
            sys.stdout.write(f"vLLM serves {server.settings.model} at {server.base_url}\n")
            sys.stdout.flush()
            signal.pthread_sigmask(signal.SIG_BLOCK, ending)
            signal.sigwait(ending)
    except FeatureError as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _port(text: str) -> int:
    number = int(text) if text.isascii() and text.isdecimal() else -1
    if not 0 <= number <= LARGEST_PORT:
        raise argparse.ArgumentTypeError(f"expected 0 to {LARGEST_PORT}, got {text}")
    return number


if __name__ == "__main__":
    sys.exit(main())
