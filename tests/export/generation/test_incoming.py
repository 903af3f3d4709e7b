import errno
from dataclasses import replace
from pathlib import Path

import pytest

from export.generation.folder import GENERATIONS_FOLDER
from export.generation.incoming import receive
from export.generation.manifest import read_manifest, render
from tests.support.generation import write_tiny_generation


def test_generation_that_is_larger_than_what_is_free_is_refused_before_any_of_it_comes(
    tmp_path: Path,
) -> None:
    manifest = read_manifest(write_tiny_generation(tmp_path / "there"))
    files = {name: replace(each, bytes=2**60) for name, each in manifest.files.items()}
    data = render(replace(manifest, files=files).named())
    here = tmp_path / "here"

    with pytest.raises(OSError, match="No space left") as refused, receive(here, data):
        pass

    assert refused.value.errno == errno.ENOSPC
    assert [each.name for each in (here / GENERATIONS_FOLDER).iterdir()] == [".lock"]
