import hashlib
import json
import tomllib
import zipfile
from pathlib import Path

import polars as pl
import pytest

from demo import movielens
from demo.editions import EDITIONS, items_table

ONE_M = EDITIONS["1m"]
ITEMS = (
    "item_id:token\tmovie_title:token\trelease_year:float\tgenre:token\r\n"
    "Toy Story (1995)\tToy Story\t1995\tAnimation Children's Comedy\r\n"
    "Hoop Dreams (1994)\tHoop Dreams\t1994\tDocumentary\r\n"
    "Postino, Il (The Postman) (1994)\tPostino, Il (The Postman)\t1994\tDrama Romance\r\n"
)
USERS = (
    "user_id:token\tage:float\tgender:token\toccupation:float\tzip_code:token\r\n"
    "1m_1\t1\tF\t10\t48067\r\n"
    "1m_2\t56\tM\t16\t23464-3016\r\n"
)
RATINGS = (
    "user_id:token\titem_id:token\trating:float\ttimestamp:float\r\n"
    "1m_1\tToy Story (1995)\t5\t978300760\r\n"
    "1m_2\tHoop Dreams (1994)\t3\t978302109\r\n"
)


def make_wheel(folder: Path, *, without: str = "") -> Path:
    wheel = folder / ONE_M.wheel
    with zipfile.ZipFile(wheel, "w") as archive:
        for member, text in {"item": ITEMS, "user": USERS, "inter": RATINGS}.items():
            if member != without:
                archive.writestr(f"{ONE_M.members}.{member}", text)
    return wheel


def converted(tmp_path: Path, table: str) -> pl.DataFrame:
    movielens.convert(ONE_M, make_wheel(tmp_path), tmp_path)
    return pl.read_parquet(tmp_path / f"{table}.parquet")


def test_the_item_type_comes_from_the_genres(tmp_path: Path) -> None:
    items = converted(tmp_path, "items")
    assert items["item_type"].to_list() == ["childrens", "documentary", "film"]


def test_items_keep_their_id_and_get_a_readable_title(tmp_path: Path) -> None:
    last = converted(tmp_path, "items").row(2, named=True)
    assert last == {
        "item_id": "Postino, Il (The Postman) (1994)",
        "item_type": "film",
        "title": "Il Postino (The Postman)",
        "genres": "Drama|Romance",
        "year": 1994,
        "language": "en",
    }


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("American President, The", "The American President"),
        ("Avventura, L' (Adventure, The)", "L'Avventura (Adventure, The)"),
        ("Cry, the Beloved Country", "Cry, the Beloved Country"),
        ("To Have, or Not", "To Have, or Not"),
    ],
)
def test_only_a_trailing_article_moves_to_the_front(stored: str, read: str) -> None:
    raw = pl.DataFrame(
        {"item_id": ["a"], "movie_title": [stored], "release_year": ["1995"], "genre": ["Drama"]}
    )
    assert items_table(raw)["title"].item() == read


def test_users_have_age_bucket_and_gender_and_nothing_more(tmp_path: Path) -> None:
    users = converted(tmp_path, "users")
    assert users.rows() == [("1m_1", "under 18", "F"), ("1m_2", "56+", "M")]
    assert users.columns == ["user_id", "age_bucket", "gender"]


def test_a_rating_becomes_a_weight_between_a_fifth_and_one(tmp_path: Path) -> None:
    ratings = converted(tmp_path, "interactions")
    assert ratings["weight"].to_list() == pytest.approx([1.0, 0.6])
    assert ratings["timestamp"].to_list() == [978300760, 978302109]
    assert set(ratings["signal"]) == {"rating"}


def test_lower_ratings_can_be_left_out(tmp_path: Path) -> None:
    movielens.convert(ONE_M, make_wheel(tmp_path), tmp_path, least_rating=4)
    ratings = pl.read_parquet(tmp_path / "interactions.parquet")
    assert ratings["weight"].to_list() == pytest.approx([1.0])
    assert movielens.is_current(ONE_M, tmp_path, least_rating=4)
    assert not movielens.is_current(ONE_M, tmp_path)
    assert not movielens.is_current(ONE_M, tmp_path, least_rating=3)


def test_every_signal_in_the_table_has_a_role(tmp_path: Path) -> None:
    signals = set(converted(tmp_path, "interactions")["signal"])
    settings = tomllib.loads((tmp_path / "dataset.toml").read_text(encoding="utf-8"))
    assert set(settings["signals"]) == signals


def test_a_wheel_without_a_table_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(movielens.MovieLensError, match=r"expected .*ml-1m\.user inside"):
        movielens.convert(ONE_M, make_wheel(tmp_path, without="user"), tmp_path)


def test_a_wheel_with_other_content_is_refused_before_it_is_read(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    make_wheel(cache)
    with pytest.raises(movielens.MovieLensError, match="expected sha256"):
        movielens.prepare(ONE_M, tmp_path / "data", cache)
    assert not (tmp_path / "data").exists()


def test_the_recorded_wheel_passes(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path)
    movielens.verify(wheel, hashlib.sha256(wheel.read_bytes()).hexdigest())


def test_a_folder_of_this_recipe_is_taken_as_it_is(tmp_path: Path) -> None:
    movielens.convert(ONE_M, make_wheel(tmp_path), tmp_path)
    assert movielens.prepare(ONE_M, tmp_path, tmp_path / "no such cache") == tmp_path
    assert not (tmp_path / "no such cache").exists()


def test_a_folder_of_an_older_recipe_is_not_current(tmp_path: Path) -> None:
    movielens.convert(ONE_M, make_wheel(tmp_path), tmp_path)
    source = json.loads((tmp_path / "source.json").read_text(encoding="utf-8"))
    (tmp_path / "source.json").write_text(json.dumps(source | {"recipe": 0}), encoding="utf-8")
    assert not movielens.is_current(ONE_M, tmp_path)


def test_a_folder_of_another_edition_is_not_current(tmp_path: Path) -> None:
    movielens.convert(ONE_M, make_wheel(tmp_path), tmp_path)
    assert movielens.is_current(ONE_M, tmp_path)
    assert not movielens.is_current(EDITIONS["100k"], tmp_path)
