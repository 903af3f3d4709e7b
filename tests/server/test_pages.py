import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from nearfield.v1 import recommendation_pb2 as pb
from nearfield.v1 import types_pb2
from server.pages import Page, PageTokenError, fingerprint, generation_of, read_page

pages = st.builds(
    Page,
    st.text(min_size=1, max_size=40),
    st.binary(min_size=16, max_size=16),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**31),
    st.none() | st.integers(0, 2**64 - 1),
)


@given(pages)
def test_what_is_written_is_read_again(page: Page) -> None:
    token = page.write()
    assert read_page(token) == page
    assert generation_of(token) == page.generation
    assert set(token) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")


@settings(max_examples=300)
@given(pages, st.data())
def test_any_altered_token_is_refused(page: Page, data: st.DataObject) -> None:
    token = page.write()
    place = data.draw(st.integers(0, len(token) - 1))
    letter = data.draw(st.sampled_from("AZaz09-_=+/ é"))
    assume(token[place] != letter)
    for wrong in (
        token[:place] + letter + token[place + 1 :],
        token[:place],
        token + letter,
        token[:place] + letter + token[place:],
    ):
        with pytest.raises(PageTokenError, match="next_page_token"):
            read_page(wrong)
        assert generation_of(wrong) is None


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    with pytest.raises(PageTokenError):
        read_page(text)


def test_no_token_is_of_no_generation() -> None:
    assert generation_of("") is None


def test_next_page_begins_where_this_one_ends() -> None:
    page = Page("g", bytes(16), 7, 14, seed=3)
    assert page.next() == Page("g", bytes(16), 7, 21, seed=3)


def test_requests_of_one_list_have_one_fingerprint_and_others_have_others() -> None:
    request = pb.RecommendRequest(user=types_pb2.UserInput(user_id="u"), k=10)
    same = pb.RecommendRequest(page_size=3, page_token="x", request_id="y")
    same.MergeFrom(request)
    assert fingerprint(same) == fingerprint(request)
    others = [
        pb.RecommendRequest(user=types_pb2.UserInput(user_id="v"), k=10),
        pb.RecommendRequest(user=types_pb2.UserInput(user_id="u"), k=11),
        pb.RecommendRequest(user=types_pb2.UserInput(user_id="u"), k=10, explain=True),
        pb.RecommendRequest(user=types_pb2.UserInput(user_id="u"), k=10, drop_seen=False),
    ]
    assert len({fingerprint(each) for each in [request, *others]}) == 5
