import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from features.errors import CacheError, FeaturizerUnavailable, TextError
from features.text import HashFeaturizer
from features.text_cache import CachedFeaturizer, Described, TextCache, cache_key

ROOT = Path(__file__).resolve().parents[2]
TEXTS = [f"Volume {number}" for number in range(100)]


class CountingFeaturizer(HashFeaturizer):
    """Counts what it embeds, and dies after so many texts."""

    def __init__(self, dies_after: int = 10**9, revision: str = "r1") -> None:
        super().__init__(32)
        self.seen: Counter[str] = Counter()
        self._dies_after = dies_after
        self._revision = revision

    @property
    def revision(self) -> str:
        return self._revision

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        if self.seen.total() + len(texts) > self._dies_after:
            raise FeaturizerUnavailable("the encoder died")
        self.seen.update(texts)
        return super().embed(texts)


def test_an_interrupted_run_resumes_and_embeds_no_text_twice(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    first = CountingFeaturizer(dies_after=45)
    cached = CachedFeaturizer(first, TextCache(path), batch_size=10)
    with pytest.raises(FeaturizerUnavailable):
        cached.embed(TEXTS)
    cached.close()

    second = CountingFeaturizer()
    resumed = CachedFeaturizer(second, TextCache(path), batch_size=10)
    vectors = resumed.embed(TEXTS)
    resumed.close()

    assert first.seen.total() == 40
    assert first.seen + second.seen == Counter(TEXTS)
    np.testing.assert_array_equal(vectors, HashFeaturizer(32).embed(TEXTS))


def test_a_killed_process_leaves_what_it_finished(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    program = f"""
import os, signal
from functools import partial
from pathlib import Path
from features.text import HashFeaturizer
from features.text_cache import CachedFeaturizer, TextCache
def kill(done, total):
    if done >= 30:
        os.kill(os.getpid(), signal.SIGKILL)
cache = TextCache(Path({str(path)!r}))
texts = [f"Volume {{number}}" for number in range(100)]
CachedFeaturizer(HashFeaturizer(32), cache, batch_size=10, on_progress=kill).embed(texts)
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=ROOT)
    assert killed.returncode == -signal.SIGKILL

    cache = TextCache(path)
    assert len(cache) == 30
    rest = CountingFeaturizer(revision=HashFeaturizer(32).revision)
    vectors = CachedFeaturizer(rest, cache).embed(TEXTS)
    cache.close()
    assert rest.seen == Counter(TEXTS[30:])
    np.testing.assert_array_equal(vectors, HashFeaturizer(32).embed(TEXTS))


def test_equal_texts_are_embedded_once_and_each_gets_its_row(tmp_path: Path) -> None:
    inner = CountingFeaturizer()
    cached = CachedFeaturizer(inner, TextCache(tmp_path / "c"), batch_size=2)
    vectors = cached.embed(["Emma", "Kim", "Emma", " Emma\n", "Kim"])
    cached.close()
    assert inner.seen == Counter(["Emma", "Kim"])
    np.testing.assert_array_equal(vectors[[0, 1, 0, 0, 1]], vectors)


def test_another_revision_is_another_vector(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    for revision in ("r1", "r2"):
        inner = CountingFeaturizer(revision=revision)
        cached = CachedFeaturizer(inner, TextCache(path))
        cached.embed(TEXTS[:3])
        cached.close()
        assert inner.seen.total() == 3
    cache = TextCache(path)
    assert len(cache) == 6
    cache.close()


def test_a_key_depends_on_each_part_and_on_where_parts_end() -> None:
    keys = {
        cache_key("r1", "ab", recipe="v1"),
        cache_key("r2", "ab", recipe="v1"),
        cache_key("r1", "ac", recipe="v1"),
        cache_key("r1", "ab", recipe="v2"),
        cache_key("r1", "1ab", recipe="v"),
        cache_key("r", "ab", recipe="1v1"),
    }
    assert len(keys) == 6
    assert cache_key("r1", "ab") == cache_key("r1", "ab")


def test_progress_counts_what_was_there_and_reaches_the_end(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    before = CachedFeaturizer(HashFeaturizer(), TextCache(path))
    before.embed(TEXTS[:25])
    before.close()
    told: list[tuple[int, int]] = []
    cached = CachedFeaturizer(
        HashFeaturizer(),
        TextCache(path),
        batch_size=50,
        on_progress=lambda done, total: told.append((done, total)),
    )
    cached.embed(TEXTS)
    cached.close()
    assert told == [(25, 100), (75, 100), (100, 100)]


def test_an_empty_text_writes_nothing(tmp_path: Path) -> None:
    cache = TextCache(tmp_path / "cache.sqlite")
    with pytest.raises(TextError):
        CachedFeaturizer(HashFeaturizer(), cache).embed(["Emma", ""])
    assert len(cache) == 0
    cache.close()


def test_more_keys_than_a_query_takes_are_found(tmp_path: Path) -> None:
    texts = [f"Volume {number}" for number in range(1_203)]
    cached = CachedFeaturizer(HashFeaturizer(8), TextCache(tmp_path / "c"))
    first = cached.embed(texts)
    np.testing.assert_array_equal(cached.embed(texts), first)
    cached.close()


def test_two_writers_share_a_file(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    expected = HashFeaturizer(32).embed(TEXTS)
    answers: list[NDArray[np.float32]] = []

    def embed() -> None:
        cached = CachedFeaturizer(CountingFeaturizer(), TextCache(path), batch_size=3)
        answers.append(cached.embed(TEXTS))
        cached.close()

    threads = [threading.Thread(target=embed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4
    for answer in answers:
        np.testing.assert_array_equal(answer, expected)


def test_one_who_opens_waits_for_one_who_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "cache.sqlite"
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    release = threading.Timer(0.2, other.execute, ["ROLLBACK"])

    class Overtaken(sqlite3.Connection):
        """Another begins to write just before the journal's mode is changed."""

        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401
            if "journal_mode" in sql and release.ident is None:
                other.execute("BEGIN IMMEDIATE")
                release.start()
            return super().execute(sql, parameters)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", partial(connect, factory=Overtaken))
    cache = TextCache(path)
    assert release.finished.is_set()
    cache.close()
    release.join()
    other.close()


def test_a_damaged_file_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    path.write_bytes(os.urandom(4_096))
    with pytest.raises(CacheError, match=r"cache\.sqlite"):
        TextCache(path)


def test_another_programs_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE theirs (x)")
    other.commit()
    other.close()
    before = path.read_bytes()
    with pytest.raises(CacheError, match=r"other\.sqlite.*expected format 1"):
        TextCache(path)
    assert path.read_bytes() == before


def test_a_vector_of_another_length_is_refused(tmp_path: Path) -> None:
    cache = TextCache(tmp_path / "cache.sqlite")
    cache.put([b"key"], np.ones((1, 3), dtype=np.float32))
    with pytest.raises(CacheError, match=r"expected 4 float32 .* got 12 bytes"):
        cache.get([b"key"], 4)
    cache.close()


def test_what_is_all_here_is_recalled_without_a_featurizer(tmp_path: Path) -> None:
    cache = TextCache(tmp_path / "cache.sqlite")
    CachedFeaturizer(HashFeaturizer(32), cache).embed(TEXTS[:20])
    known = cache.described(HashFeaturizer(32).revision)
    assert known == Described("hash", "hash-1-32", 32, for_tests_only=True)
    vectors = cache.recall(known, [TEXTS[3], TEXTS[0], TEXTS[3]])
    assert vectors is not None
    np.testing.assert_array_equal(vectors, HashFeaturizer(32).embed([TEXTS[3], TEXTS[0], TEXTS[3]]))
    assert cache.recall(known, [TEXTS[0], TEXTS[20]]) is None
    assert cache.described("another") is None
    cache.close()


def test_a_file_that_does_not_tell_who_filled_it_is_read_and_told(tmp_path: Path) -> None:
    path = tmp_path / "cache.sqlite"
    filled = CachedFeaturizer(CountingFeaturizer(), TextCache(path))
    filled.embed(TEXTS)
    filled.close()
    with sqlite3.connect(path) as old:  # as it was written before
        old.execute("DROP TABLE featurizers")
    old.close()

    cache = TextCache(path)
    assert cache.described("r1") is None
    again = CountingFeaturizer()
    CachedFeaturizer(again, cache).embed(TEXTS)
    assert again.seen.total() == 0
    assert cache.described("r1") == Described.of(again)
    cache.close()
