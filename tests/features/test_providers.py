import pytest

from features.providers import CPU, CUDA, Choice, choose_providers, has_cuda


@pytest.mark.parametrize(
    ("choice", "there", "expected"),
    [
        ("auto", True, [CUDA, CPU]),
        ("auto", False, [CPU]),
        ("cuda", True, [CUDA, CPU]),
        ("cuda", False, [CUDA, CPU]),
        ("cpu", True, [CPU]),
        ("cpu", False, [CPU]),
    ],
)
def test_cuda_is_tried_where_it_is_there_or_insisted_on(
    choice: Choice, there: bool, expected: list[str]
) -> None:
    assert choose_providers(choice, has_cuda=lambda: there) == expected


def test_nobody_who_says_nothing_is_given_cuda_without_a_driver() -> None:
    assert (CUDA in choose_providers()) == has_cuda()
