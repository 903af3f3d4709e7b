from nearfield.tokens import Tokens


def test_half_of_the_tokens_may_be_spent() -> None:
    tokens = Tokens(10, 0.1)

    assert [tokens.failed() for _ in range(6)] == [True] * 4 + [False] * 2


def test_successes_pay_for_later_failures() -> None:
    tokens = Tokens(10, 0.5)
    for _ in range(5):
        tokens.failed()
    assert not tokens.failed()

    for _ in range(6):
        tokens.succeeded()

    assert tokens.failed()
    assert not tokens.failed()


def test_purse_does_not_overflow_and_owes_nothing() -> None:
    tokens = Tokens(2, 1.0)
    for _ in range(100):
        tokens.succeeded()
    assert [tokens.failed() for _ in range(2)] == [False, False]

    for _ in range(100):
        tokens.failed()
    for _ in range(2):
        tokens.succeeded()
    assert tokens.failed() is False
    for _ in range(2):
        tokens.succeeded()
    assert tokens._left == 2.0
