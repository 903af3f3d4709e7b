from collections import Counter

from nearfield import rota
from nearfield.rota import Rota


def taken(rota: Rota, times: int = 60) -> Counter[int]:
    return Counter(rota.take() for _ in range(times))


def test_connections_are_taken_in_turn() -> None:
    assert taken(Rota(3)) == {0: 20, 1: 20, 2: 20}


def test_one_that_is_away_is_passed_over_and_its_share_is_spread() -> None:
    rota = Rota(3)
    rota.note(1, there=False)

    assert taken(rota) == {0: 30, 2: 30}


def test_where_all_are_away_all_are_taken() -> None:
    rota = Rota(2)
    for place in (0, 1):
        rota.note(place, there=False)

    assert taken(rota) == {0: 30, 1: 30}
    assert not rota.any_there()


def test_after_a_while_one_call_looks_whether_it_is_back() -> None:
    two = Rota(2)
    two.note(0, there=False)
    two._looked_at_from[0] -= rota.AWAY_S

    assert taken(two) == {0: 1, 1: 59}
    assert two.any_there()


def test_one_that_answered_is_there_again() -> None:
    rota = Rota(2)
    for place in (0, 1):
        rota.note(place, there=False)
    rota.note(0, there=True)

    assert taken(rota) == {0: 60}
    assert rota.any_there()
