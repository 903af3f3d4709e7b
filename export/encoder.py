"""Command line: export the sentence encoder, for servers that embed text in their own process.

python -m export.encoder --out FOLDER
python -m server --generation FOLDER --featurizer onnx_text --onnx-text-folder FOLDER
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from pkgutil import resolve_name

from export.errors import ExportError
from features.errors import FeatureError
from features.model_files import find_packaged_encoder


def main(arguments: Sequence[str] | None = None) -> int:
    """Export; 0 when done, 1 with a message on standard error when it cannot be."""
    parser = argparse.ArgumentParser(
        prog="python -m export.encoder",
        description="Export a sentence encoder to ONNX, pooling and normalisation included.",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to write")
    parser.add_argument(
        "--encoder", type=Path, help="folder of its files; default: the one packaged beside vLLM"
    )
    parser.add_argument(
        "--model", default="all-MiniLM-L6-v2", help="name it goes by; default: %(default)s"
    )
    options = parser.parse_args(arguments)
    try:
        source = options.encoder or find_packaged_encoder()
        export = resolve_name("export.text_encoder:export_text_encoder")  # loads torch
        difference: float = export(source, options.out, model=options.model)
    except (ExportError, FeatureError, OSError) as error:
        sys.stderr.write(f"export: {error}\n")
        return 1
    sys.stdout.write(f"{options.out}: differs from torch by {difference:.1e} at most\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
