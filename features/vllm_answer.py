"""Reads what an embeddings endpoint sends back, and believes none of it unseen."""

import base64
import binascii

import numpy as np
from numpy.typing import NDArray

from features.errors import FeaturizerBadAnswer
from features.text import unit_rows


def read_vectors(answer: object, count: int) -> NDArray[np.float32]:
    """Return the vectors of an embeddings answer in the order of the question.

    Shapes:
        returns: (B, D) float32, B = `count`, rows of unit L2 norm.

    Raises:
        FeaturizerBadAnswer: not `count` vectors of one length, or one is not finite or all zero.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    if not isinstance(data, list):
        raise FeaturizerBadAnswer("expected an object with a list `data`, got another shape")
    if len(data) != count:
        raise FeaturizerBadAnswer(f"expected {count} vectors, got {len(data)}")
    rows: dict[int, NDArray[np.float32]] = {}
    for place, entry in enumerate(data):
        index = entry.get("index") if isinstance(entry, dict) else None
        if not isinstance(index, int) or not 0 <= index < count or index in rows:
            raise FeaturizerBadAnswer(
                f"data[{place}].index must be distinct and below {count}, got {index!r}"
            )
        rows[index] = _vector(entry.get("embedding"), place)
    lengths = {len(row) for row in rows.values()}
    if len(lengths) != 1:
        raise FeaturizerBadAnswer(f"expected vectors of one length, got {sorted(lengths)}")
    return unit_rows(np.stack([rows[index] for index in range(count)]))


def _vector(encoded: object, place: int) -> NDArray[np.float32]:
    if not isinstance(encoded, str):
        raise FeaturizerBadAnswer(
            f"data[{place}].embedding must be base64, got {type(encoded).__name__}"
        )
    try:
        vector = np.frombuffer(base64.b64decode(encoded, validate=True), dtype="<f4")
    except (binascii.Error, ValueError) as error:
        raise FeaturizerBadAnswer(
            f"data[{place}].embedding is not base64 of float32: {error}"
        ) from error
    if not np.isfinite(vector).all():
        raise FeaturizerBadAnswer(f"data[{place}].embedding is not finite")
    if not vector.any():
        raise FeaturizerBadAnswer(f"data[{place}].embedding has no direction: all zero or empty")
    return vector.astype(np.float32, copy=False)


def read_max_tokens(answer: object, model: str) -> tuple[int, str]:
    """Return the token limit and the source folder or name of a served model.

    Raises:
        FeaturizerBadAnswer: the answer lists no such model, or not its limit.
    """
    data = answer.get("data") if isinstance(answer, dict) else None
    cards = [card for card in data if isinstance(card, dict)] if isinstance(data, list) else []
    for card in cards:
        limit = card.get("max_model_len")
        if card.get("id") == model and isinstance(limit, int):
            return limit, str(card.get("root", ""))
    served = ", ".join(str(card.get("id")) for card in cards) or "none"
    raise FeaturizerBadAnswer(f"expected model {model!r} with its max_model_len, served: {served}")
