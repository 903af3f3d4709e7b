"""A vLLM server in the foreground, for `make serve` to embed new items with; Ctrl-C ends it."""

import argparse
import signal
import sys

from features.errors import FeatureError
from features.vllm_process import VllmProcess, VllmProcessSettings


def main() -> int:
    """Run `python -m demo.vllm`."""
    parser = argparse.ArgumentParser(prog="python -m demo.vllm", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="on 127.0.0.1; 0 takes a free one")
    options = parser.parse_args()
    ending = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    try:
        with VllmProcess(VllmProcessSettings(port=options.port)) as server:
            print(f"vLLM serves {server.settings.model} at {server.base_url}", flush=True)
            signal.pthread_sigmask(signal.SIG_BLOCK, ending)
            signal.sigwait(ending)
    except FeatureError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
