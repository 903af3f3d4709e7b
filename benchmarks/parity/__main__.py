"""How far two ways to one vector are apart: `python -m benchmarks.parity --generation FOLDER`.

torch and onnxruntime: the generation's networks, as `python -m export` compared them before it
published them, and the sentence encoder, which is exported here anew. vLLM and onnx_text: the
texts of two hundred works on which the tests compare them too.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the options, and measure."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.parity", description=__doc__)
    parser.add_argument(
        "--generation", type=Path, required=True, help="a generation, or a folder with `current`"
    )
    parser.add_argument("--vllm-url", help="a vLLM that runs; default: one is started")
    options = parser.parse_args(arguments)
    status: int = resolve_name("benchmarks.parity.measure:measure")(options)
    return status


if __name__ == "__main__":
    sys.exit(main())
