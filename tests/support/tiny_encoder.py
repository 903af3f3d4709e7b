"""An exported encoder of a few kilobytes: letters for tokens, random weights, the real layout."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Regex, Tokenizer, models, pre_tokenizers, processors

from features.onnx_text import DESCRIPTION_FILE, MODEL_FILE, TOKENIZER_FILE, OnnxEncoder

DIMENSIONS = 16
MAX_TOKENS = 24
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,"


def write_tiny_encoder(folder: Path, *, dimensions: int = DIMENSIONS) -> Path:
    """Write the three files; `dimensions` is what the description claims."""
    folder.mkdir(parents=True, exist_ok=True)
    onnx.save(_mean_of_embeddings(), folder / MODEL_FILE)
    letter_tokenizer().save(str(folder / TOKENIZER_FILE))
    description = OnnxEncoder("tiny", "0123456789abcdef", dimensions, MAX_TOKENS, pad_id=0)
    (folder / DESCRIPTION_FILE).write_text(description.to_json(), encoding="utf-8")
    return folder


def letter_tokenizer() -> Tokenizer:
    """A tokenizer whose tokens are letters and digits, with the usual special ones."""
    vocabulary = {token: row for row, token in enumerate((*SPECIAL, *LETTERS))}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\S"), "isolated")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return tokenizer


def _mean_of_embeddings() -> onnx.ModelProto:
    table = np.random.default_rng(5).normal(size=(len(SPECIAL) + len(LETTERS), DIMENSIONS))
    tokens = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "length"])
        for name in ("input_ids", "attention_mask")
    ]
    vector = helper.make_tensor_value_info("vector", TensorProto.FLOAT, ["batch", DIMENSIONS])
    nodes = [
        helper.make_node("Gather", ["table", "input_ids"], ["hidden"]),
        helper.make_node("Cast", ["attention_mask"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("Unsqueeze", ["mask", "last"], ["weight"]),
        helper.make_node("Mul", ["hidden", "weight"], ["counted"]),
        helper.make_node("ReduceSum", ["counted", "tokens"], ["sum"], keepdims=0),
        helper.make_node("LpNormalization", ["sum"], ["vector"], axis=1, p=2),
    ]
    weights = [
        numpy_helper.from_array(table.astype(np.float32), "table"),
        numpy_helper.from_array(np.array([2]), "last"),
        numpy_helper.from_array(np.array([1]), "tokens"),
    ]
    graph = helper.make_graph(nodes, "tiny", tokens, [vector], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    return model
