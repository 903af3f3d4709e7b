"""Both forms in which a request says how its hits are chosen."""

import pytest
from hypothesis import given

from export.generation import Generation
from nearfield.v1 import recommendation_pb2 as pb
from server.engine import Engine
from server.errors import InvalidRequestError
from server.hit_options import page_token
from server.limits import Limits
from server.pages import fingerprint
from server.ready import ReadyAnswers
from tests.server.arranging import Answers, ids, known, varied
from tests.server.test_arranged_answers import any_request, usual


@pytest.fixture(scope="module")
def answers(generation: Generation, engine: Engine) -> Answers:
    return Answers.of(varied(generation), engine)


def newer(request: pb.RecommendRequest) -> pb.RecommendRequest:
    """Write a request in the newer form."""
    options = pb.HitOptions(
        quotas=request.quotas,
        diversity=request.diversity,
        exploration=request.exploration,
        seed=request.seed if request.HasField("seed") else None,
        page_size=request.page_size,
        page_token=request.page_token,
    )
    return pb.RecommendRequest(
        user=request.user, k=request.k, filter=request.filter, hit_options=options
    )


def violations(answers: Answers, request: pb.RecommendRequest) -> dict[str, str]:
    with pytest.raises(InvalidRequestError) as caught:
        answers.recommend(request)
    return {each.field: each.problem for each in caught.value.violations}


def test_options_and_older_fields_have_the_same_names_and_types() -> None:
    for request in (pb.RecommendRequest, pb.FindSimilarItemsRequest):
        for field in pb.HitOptions.DESCRIPTOR.fields:
            older = request.DESCRIPTOR.fields_by_name[field.name]
            assert (older.type, older.is_repeated) == (field.type, field.is_repeated)


@usual
@given(any_request())
def test_both_forms_have_one_answer(
    answers: Answers, drawn: tuple[int, pb.RecommendRequest]
) -> None:
    _, request = drawn
    (one,), (other,) = answers.recommend(request), answers.recommend(newer(request))
    assert ids(one) == ids(other)
    assert one.notices == other.notices


def test_pages_follow_each_other_in_the_newer_form(answers: Answers) -> None:
    whole = ids(answers.recommend(pb.RecommendRequest(user=known(1), k=10))[0])
    request = pb.RecommendRequest(user=known(1), k=10, hit_options=pb.HitOptions(page_size=4))
    pieces: list[str] = []
    for _ in range(3):
        (page,) = answers.recommend(request)
        pieces += ids(page)
        request.hit_options.page_token = page.next_page_token
        assert page_token(request) == page.next_page_token
    assert pieces == whole
    assert not page.next_page_token


def test_fields_of_the_newer_form_are_named_as_they_stand_there(answers: Answers) -> None:
    options = pb.HitOptions(diversity=2, exploration=-1, page_size=-1, page_token="x")
    options.quotas.add(item_type="nothing", min=-1)
    wrong = violations(answers, pb.RecommendRequest(user=known(1), hit_options=options))
    assert {*wrong} == {
        f"hit_options.{name}"
        for name in (
            "diversity",
            "exploration",
            "page_size",
            "quotas[0].item_type",
            "quotas[0].min",
        )
    }


def test_both_forms_at_once_are_refused(answers: Answers) -> None:
    request = pb.RecommendRequest(
        user=known(1), diversity=0.5, page_size=3, hit_options=pb.HitOptions(diversity=0.5)
    )
    (problem,) = violations(answers, request).values()
    assert problem == "expected one form of the options, got diversity, page_size as well"


def test_where_a_page_is_asked_for_does_not_count_for_the_list() -> None:
    request = pb.RecommendRequest(user=known(1), hit_options=pb.HitOptions(diversity=0.5))
    paged = pb.RecommendRequest()
    paged.CopyFrom(request)
    paged.hit_options.page_size, paged.hit_options.page_token = 3, "x"
    assert fingerprint(paged) == fingerprint(request)
    paged.hit_options.diversity = 0.25
    assert fingerprint(paged) != fingerprint(request)


def test_options_that_say_nothing_leave_an_answer_ready(
    generation: Generation, engine: Engine
) -> None:
    ready = ReadyAnswers.of(generation, engine.catalogue, most_events=engine.most_events)
    assert ready is not None
    k = Limits().default_k
    plain = ready.recommendation(pb.RecommendRequest(user=known(1), k=3), k)
    assert plain is not None
    saying_nothing = pb.RecommendRequest(user=known(1), k=3, hit_options=pb.HitOptions())
    assert ready.recommendation(saying_nothing, k) == plain
    options = pb.HitOptions(diversity=0.1)
    request = pb.RecommendRequest(user=known(1), k=3, hit_options=options)
    assert ready.recommendation(request, k) is None
