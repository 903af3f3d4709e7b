import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from export.generation import GenerationCorruptError, GenerationTooNewError
from export.generation.manifest import MANIFEST_FILE, content_name, read_manifest, render
from tests.support.generation import write_tiny_generation


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_generation(tmp_path_factory.mktemp("generations"))


def written(folder: Path, data: bytes) -> Path:
    (folder / MANIFEST_FILE).write_bytes(data)
    return folder


def test_what_is_rendered_reads_back_equal(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder)

    assert read_manifest(written(tmp_path, render(manifest))) == manifest


def test_a_flipped_bit_anywhere_in_the_manifest_is_noticed_and_the_file_named(
    folder: Path, tmp_path: Path
) -> None:
    data = (folder / MANIFEST_FILE).read_bytes()

    for place in range(0, len(data), 5):
        damaged = bytearray(data)
        damaged[place] ^= 1 << (place % 8)
        with pytest.raises((GenerationCorruptError, GenerationTooNewError)) as refused:
            read_manifest(written(tmp_path, bytes(damaged)))
        assert refused.value.path == tmp_path / MANIFEST_FILE


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_truncated_manifest_is_refused(folder: Path, tmp_path: Path, share: float) -> None:
    data = (folder / MANIFEST_FILE).read_bytes()

    with pytest.raises(GenerationCorruptError, match=r"manifest\.json"):
        read_manifest(written(tmp_path, data[: int(len(data) * share)]))


def test_a_newer_format_is_refused_by_its_number_before_anything_else_is_read(
    tmp_path: Path,
) -> None:
    newer = json.dumps({"format": 7, "whatever": "it may hold"}).encode()

    with pytest.raises(GenerationTooNewError, match="format 7, this program reads up to 3"):
        read_manifest(written(tmp_path, newer))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("[]", "expected a JSON object, got list"),
        ("{}", "has no field format"),
        ('{"format": "1"}', "format: expected an integer"),
        ('{"format": true}', "format: expected an integer"),
        ('{"format": -1}', "format: expected an integer from 0 to"),
        ('{"format": 1e300}', "format: expected an integer from 0 to"),
        (f'{{"format": {2**64}}}', "format: expected an integer from 0 to"),
        ('{"format": 1, "generation": "x"}', "has no field featurizer"),
        ('{"format": 1, "featurizer": 5}', "featurizer: expected an object"),
        ("[" * 100_000, "not readable as JSON"),
        ("\x00", "not readable as JSON"),
    ],
)
def test_what_is_no_manifest_is_refused_with_the_field(
    tmp_path: Path, content: str, problem: str
) -> None:
    with pytest.raises(GenerationCorruptError, match=problem):
        read_manifest(written(tmp_path, content.encode()))


def test_a_number_that_json_does_not_have_is_refused(folder: Path, tmp_path: Path) -> None:
    data = (folder / MANIFEST_FILE).read_bytes().replace(b'"value": 0.5', b'"value": NaN')

    with pytest.raises(GenerationCorruptError, match="checksum differs"):
        read_manifest(written(tmp_path, data))


def test_a_manifest_under_another_name_than_its_content_asks_for_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    renamed = replace(read_manifest(folder), space_id="another space")

    with pytest.raises(GenerationCorruptError, match="is not the manifest of"):
        read_manifest(written(tmp_path, render(renamed)))


@pytest.mark.parametrize("field", ["created", "as_of"])
@pytest.mark.parametrize("moment", ["", "today", "2026-02-30T00:00:00Z", "2026-01-01", "9" * 99])
def test_a_moment_that_is_none_is_refused_with_the_field(
    folder: Path, tmp_path: Path, field: str, moment: str
) -> None:
    moments: dict[str, Any] = {field: moment}
    changed = replace(read_manifest(folder), **moments).named()

    with pytest.raises(GenerationCorruptError, match=f"{field}: expected a moment such as"):
        read_manifest(written(tmp_path, render(changed)))


def test_time_of_writing_and_rounding_errors_do_not_change_the_name(folder: Path) -> None:
    manifest = read_manifest(folder)

    moved = replace(manifest, created="2030-01-01T00:00:00Z", parity={"hgnn": 3e-7})

    assert content_name(moved) == manifest.generation


def test_content_changes_the_name(folder: Path) -> None:
    manifest = read_manifest(folder)

    assert content_name(replace(manifest, space_id="other")) != manifest.generation
    assert content_name(replace(manifest, metrics=())) != manifest.generation
    assert content_name(replace(manifest, history_length=7)) != manifest.generation
