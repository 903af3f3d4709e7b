"""A sentence encoder's files to ONNX, pooling and normalisation included, parity checked."""

import json
import logging
import shutil
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.export import Dim
from torch.nn import functional as F
from transformers import AutoModel

from export.parity import Case, check_parity
from export.to_onnx import NOISE, OPSET
from features.model_files import complete_folder, folder_revision, token_limit
from features.onnx_text import DESCRIPTION_FILE, MODEL_FILE, TOKENIZER_FILE, OnnxEncoder


class SentenceEncoder(nn.Module):
    """Tokens to one unit vector: transformer, mean over the tokens that count, L2 norm.

        v = Σ_t m_t h_t / Σ_t m_t,   out = v / ‖v‖

    Shapes:
        input_ids, attention_mask: (B, L) int64; mask 1 for a token, 0 for padding.
        returns: (B, D) float32, rows of unit L2 norm.

    Source: Reimers and Gurevych, EMNLP 2019, arXiv:1908.10084.
    """

    def __init__(self, transformer: nn.Module, vocabulary: int) -> None:
        super().__init__()
        self.transformer = transformer
        self.vocabulary = vocabulary

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Encode; see the class."""
        hidden: Tensor = self.transformer(
            input_ids=input_ids, attention_mask=attention_mask
        ).last_hidden_state  # (B, L, D)
        weight = attention_mask.unsqueeze(-1).to(hidden.dtype)  # (B, L, 1)
        mean = (hidden * weight).sum(dim=1) / weight.sum(dim=1)  # (B, D)
        return F.normalize(mean, dim=1)


def export_text_encoder(source: Path, folder: Path, *, model: str = "all-MiniLM-L6-v2") -> float:
    """Export the encoder in `source` to `folder`, written beside and renamed.

    An older `folder` is replaced. Returns the largest absolute difference between torch and
    onnxruntime that was seen.

    Raises:
        EncoderFilesError: `source` lacks a file.
        ParityError: torch and onnxruntime differ by more than rounding; nothing is written.
    """
    max_tokens = token_limit(complete_folder(source))
    encoder = load_encoder(source)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as partial:
        beside = Path(partial) / "encoder"
        beside.mkdir()
        _export(encoder, beside / MODEL_FILE, max_tokens)
        cases = parity_cases(encoder.vocabulary, max_tokens)
        difference = check_parity(model, encoder, (beside / MODEL_FILE).read_bytes(), cases)
        shutil.copy(source / TOKENIZER_FILE, beside / TOKENIZER_FILE)
        (beside / DESCRIPTION_FILE).write_text(_describe(source, model).to_json(), encoding="utf-8")
        if folder.exists():
            folder.rename(Path(partial) / "older")
        beside.rename(folder)
    return difference


def _describe(source: Path, model: str) -> OnnxEncoder:
    config = json.loads((source / "config.json").read_text(encoding="utf-8"))
    return OnnxEncoder(
        model=model,
        weights=folder_revision(source),
        dimensions=config["hidden_size"],
        max_tokens=token_limit(source),
        pad_id=config["pad_token_id"],
    )


def load_encoder(source: Path) -> SentenceEncoder:
    """Load the encoder's files from disk, never from the network, ready for inference."""
    transformer = AutoModel.from_pretrained(
        source, local_files_only=True, dtype=torch.float32, attn_implementation="eager"
    )
    return SentenceEncoder(transformer, transformer.config.vocab_size).eval()


def parity_cases(vocabulary: int, max_tokens: int) -> list[Case]:
    """Draw calls of random tokens: the smallest, untraced sizes with padding, the longest."""
    rng = np.random.default_rng(0)
    sizes = {(batch, min(length, max_tokens)) for batch, length in ((1, 3), (3, 17), (8, 64))}
    return [
        Case(f"{batch} texts of {length} tokens", _tokens(batch, length, vocabulary, rng))
        for batch, length in sorted({*sizes, (2, max_tokens)})
    ]


def _export(encoder: SentenceEncoder, path: Path, max_tokens: int) -> None:
    axes = {0: Dim("batch"), 1: Dim("length", max=max_tokens)}
    # The exporter reports each package that it looked for and did not find.
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        for message in NOISE:
            warnings.filterwarnings("ignore", message=message)
        program = torch.onnx.export(
            encoder,
            _tokens(2, 12, encoder.vocabulary, np.random.default_rng(1)),
            input_names=["input_ids", "attention_mask"],
            output_names=["vector"],
            dynamic_shapes={"input_ids": axes, "attention_mask": axes},
            opset_version=OPSET,
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    assert program is not None
    for node in program.model.graph.all_nodes():
        node.metadata_props.clear()  # stack traces with paths of this machine
    program.save(str(path))


def _tokens(
    batch: int, length: int, vocabulary: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Draw tokens and their mask; rows have different lengths, the first one the full length."""
    lengths = rng.integers(1, length + 1, size=batch)
    lengths[0] = length
    mask = (np.arange(length) < lengths[:, None]).astype(np.int64)
    ids = rng.integers(0, vocabulary, size=(batch, length)) * mask
    return torch.from_numpy(ids), torch.from_numpy(mask)
