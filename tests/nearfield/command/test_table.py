from nearfield.command.table import BLOCK, Table


def written(*rows: list[object]) -> list[str]:
    lines: list[str] = []
    table = Table(("a", "b"), lines.append)
    for row in rows:
        table.add(row)
    table.end()
    return lines


def test_columns_are_as_wide_as_what_is_in_them() -> None:
    assert written(["long", 1], ["x", 0.123456]) == ["A     B\n", "long  1\n", "x     0.1235\n"]


def test_cell_without_a_value_can_be_counted() -> None:
    assert written(["", "x"])[1] == "-  x\n"


def test_wide_characters_count_twice_and_marks_not_at_all() -> None:
    assert written(["音楽", 1], ["e\u0301", 2], ["abcd", 3])[1:] == [
        "音楽  1\n",
        "e\u0301     2\n",
        "abcd  3\n",
    ]


def test_what_could_steer_a_terminal_is_left_out() -> None:
    assert written(["a\x1b[31m\nb", "c"])[1] == "a [31m b  c\n"


def test_rows_beyond_a_block_are_written_before_the_end() -> None:
    lines: list[str] = []
    table = Table(("a",), lines.append)

    for number in range(BLOCK + 5):
        table.add([number])

    assert len(lines) > BLOCK
    table.end()
    assert len(lines) == BLOCK + 6
