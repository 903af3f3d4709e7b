"""manifest.json: what a generation is, and the hash of each of its files."""

import hashlib
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from export.generation.errors import GenerationCorruptError, GenerationTooNewError
from export.generation.fields import Fields, FieldsError
from retrieval.calibrate import Calibration

FORMAT = 3
"""Raised with every change of the folder, additions too: a reader refuses what it does not
understand, and goes on reading every format below its own."""

MANIFEST_FILE = "manifest.json"
NAME_CHARS = 16
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"

Metric = dict[str, str | int | float | None]
"""One line of metrics.json: model, slice, metric, value, low, high, users."""

NOT_CONTENT = ("generation", "created", "parity", "checksum")
"""Left out of the content hash: the hash itself, the time of writing, and the measurement of
rounding errors, which may differ between machines for equal content."""


@dataclass(frozen=True, kw_only=True)
class FeaturizerInfo:
    """Who made the text vectors."""

    name: str
    """For people to read, such as `vllm:all-MiniLM-L6-v2`."""

    revision: str
    """Identifies the text space; vectors of another revision must not be compared."""

    recipe: str
    """How an item's text is composed."""

    dimensions: int
    """Length of a text vector."""

    for_tests_only: bool
    """True for fakes; a reader refuses these unless it is told otherwise."""


@dataclass(frozen=True, kw_only=True)
class Dimensions:
    """Widths of the vectors kept for each item."""

    text: int
    """Text vectors, layer 0 of the HGNN."""

    layers: tuple[int, ...]
    """Hidden layers of the HGNN, first to last; the HGNN has one layer more than these."""

    hgnn: int
    """The HGNN's vectors."""

    vector: int
    """The towers' vectors, users' and items' alike."""


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Sizes of the arrays."""

    items: int
    """Items in the catalogue."""

    users: int
    """Users whose history is known."""

    edges: int
    """Entries of all neighbour lists; an edge kept by both its ends counts twice."""

    history: int
    """Entries of all histories."""

    pairs: int | None
    """Pairs of items of which one speaks for the other; None in format 1, which has no such."""

    listed: int | None
    """Items that are kept ready for each user; None before format 3, which has no such."""


@dataclass(frozen=True, kw_only=True)
class IndexInfo:
    """How the item vectors are searched."""

    kind: str
    """Name of the implementation."""

    settings: dict[str, int]
    """What it was built with."""


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """One file of the folder."""

    sha256: str
    """Digest in hex."""

    bytes: int
    """Length."""


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What a generation says about itself."""

    format: int
    """Number of the folder's format."""

    generation: str
    """Its name: the first 16 hex digits of the content hash."""

    space_id: str
    """Identifies the space of its vectors: featurizer, HGNN and towers."""

    created: str
    """When it was written, ISO 8601 in UTC."""

    as_of: str | None
    """Nothing later than this was learned from or is in a history; None where time is unknown."""

    featurizer: FeaturizerInfo
    """Who made the text vectors."""

    item_types: tuple[str, ...]
    """Types by index; items lie sorted by type, so each type is one slice of rows."""

    content_relations: tuple[str, ...]
    """Relations whose slots follow those of the types."""

    history_length: int
    """Newest entries of a history that the user tower was trained to read."""

    history_vectors: str
    """The array that the user tower reads a history from: `item_vectors` or `hgnn`."""

    evidence: tuple[str, ...]
    """Columns that the scorer weighs (`retrieval.evidence`); none in format 1, which has no
    scorer."""

    dimensions: Dimensions
    """Widths of the vectors."""

    counts: Counts
    """Sizes of the arrays."""

    index: IndexInfo
    """How item vectors are searched."""

    files: dict[str, FileInfo]
    """Every other file, by its path inside the folder."""

    metrics: tuple[Metric, ...]
    """Offline evaluation, empty when it was not run."""

    parity: dict[str, float]
    """Largest absolute difference between torch and onnxruntime, by model."""

    calibration: Calibration | None = None
    """What the scorer's shares are worth; None where nobody measured it, and before format 3."""

    @property
    def num_slots(self) -> int:
        """Count the neighbour lists of an item."""
        return len(self.item_types) + len(self.content_relations)

    def named(self) -> "Manifest":
        """Return this manifest under the name that its content asks for."""
        return replace(self, generation=content_name(self))


def content_name(manifest: Manifest) -> str:
    """Hash what a generation holds, not when it was written."""
    content = {name: value for name, value in _fields(manifest).items() if name not in NOT_CONTENT}
    return hashlib.sha256(_canonical(content)).hexdigest()[:NAME_CHARS]


def render(manifest: Manifest) -> bytes:
    """Write a manifest as JSON; equal manifests give equal bytes.

    `checksum` covers all the rest, so that damage to the manifest itself is noticed as well.

    Raises:
        ValueError: a metric or parity is not finite.
    """
    content = _fields(manifest)
    content["checksum"] = hashlib.sha256(_canonical(content)).hexdigest()
    return _canonical(content)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a generation.

    Raises:
        GenerationCorruptError: it was altered or is no manifest.
        GenerationTooNewError: its format is above `FORMAT`.
        OSError: it cannot be opened.
    """
    path = folder / MANIFEST_FILE
    data = path.read_bytes()
    try:
        fields = Fields.parse(data)
        number = fields.integer("format")
        if number > FORMAT:
            raise GenerationTooNewError(
                path, f"has format {number}, this program reads up to {FORMAT}: use a newer program"
            )
        manifest = _manifest(fields)
    except FieldsError as error:
        raise GenerationCorruptError(path, str(error)) from error
    # Any flipped bit, even in the layout or in a field that nobody reads, ends here.
    if not _is_rendered(manifest, data):
        raise GenerationCorruptError(path, "its content is not what was written (checksum differs)")
    if manifest.generation != content_name(manifest):
        raise GenerationCorruptError(path, f"is not the manifest of {manifest.generation}")
    return manifest


def timestamp(moment: datetime) -> str:
    """Write a moment as the manifest does: ISO 8601, UTC, whole seconds."""
    return moment.astimezone(UTC).strftime(TIME_FORMAT)


def _fields(manifest: Manifest) -> dict[str, Any]:
    """Give the fields that the manifest's own format has."""
    content = asdict(manifest)
    if manifest.format < 2:
        del content["history_vectors"], content["evidence"], content["counts"]["pairs"]
    if manifest.format < 3:
        del content["counts"]["listed"], content["calibration"]
    return content


def _is_rendered(manifest: Manifest, data: bytes) -> bool:
    try:
        return render(manifest) == data
    except ValueError:  # JSON as Python reads it may hold NaN, which is never written
        return False


def _canonical(content: dict[str, Any]) -> bytes:
    text = json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False, allow_nan=False)
    return (text + "\n").encode("utf-8", "surrogatepass")


def _manifest(fields: Fields) -> Manifest:
    featurizer, dimensions = fields.inner("featurizer"), fields.inner("dimensions")
    counts, index, files = fields.inner("counts"), fields.inner("index"), fields.inner("files")
    number = fields.integer("format")
    return Manifest(
        format=number,
        generation=fields.string("generation"),
        space_id=fields.string("space_id"),
        created=_moment("created", fields.string("created")),
        as_of=None if fields.is_null("as_of") else _moment("as_of", fields.string("as_of")),
        featurizer=FeaturizerInfo(
            name=featurizer.string("name"),
            revision=featurizer.string("revision"),
            recipe=featurizer.string("recipe"),
            dimensions=featurizer.integer("dimensions"),
            for_tests_only=featurizer.boolean("for_tests_only"),
        ),
        item_types=fields.strings("item_types"),
        content_relations=fields.strings("content_relations"),
        history_length=fields.integer("history_length"),
        history_vectors=fields.string("history_vectors") if number > 1 else "hgnn",
        evidence=fields.strings("evidence") if number > 1 else (),
        dimensions=Dimensions(
            text=dimensions.integer("text"),
            layers=dimensions.integers("layers"),
            hgnn=dimensions.integer("hgnn"),
            vector=dimensions.integer("vector"),
        ),
        counts=Counts(
            **{name: counts.integer(name) for name in ("items", "users", "edges", "history")},
            pairs=counts.integer("pairs") if number > 1 else None,
            listed=counts.integer("listed") if number > 2 else None,
        ),
        index=IndexInfo(kind=index.string("kind"), settings=index.inner("settings").all_integers()),
        files={
            name: FileInfo(
                sha256=files.inner(name).string("sha256"), bytes=files.inner(name).integer("bytes")
            )
            for name in files
        },
        metrics=fields.records("metrics"),
        parity=fields.inner("parity").all_numbers(),
        calibration=_calibration(fields) if number > 2 else None,
    )


def _moment(name: str, text: str) -> str:
    """Hold a moment to the form that `timestamp` writes; servers tell it to operators."""
    try:
        datetime.strptime(text, TIME_FORMAT)  # noqa: DTZ007 - the Z at its end is part of the form
    except ValueError as error:
        problem = f"expected a moment such as 2026-05-31T18:00:00Z, got {text[:80]!r}"
        raise FieldsError(f"{name}: {problem}") from error
    return text


def _calibration(fields: Fields) -> Calibration | None:
    if fields.is_null("calibration"):
        return None
    try:
        return Calibration.from_json(fields.inner("calibration").content)
    except ValueError as error:
        raise FieldsError(f"calibration: {error}") from error
