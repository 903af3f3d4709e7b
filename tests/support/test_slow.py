from tests.support.slow import SLOW, TESTS


def test_every_slow_file_is_there_and_named_once() -> None:
    assert [name for name in SLOW if not (TESTS / name).is_file()] == []
    assert len(set(SLOW)) == len(SLOW)
