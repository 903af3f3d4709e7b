from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import polars as pl

from export.assemble import assemble, space_id, visible_interactions
from export.generation import GenerationContents
from export.networks import Networks
from export.run import RunParts
from retrieval.exact import ExactIndex


def contents_of(parts: RunParts, networks: Networks) -> GenerationContents:
    return assemble(parts, networks, ExactIndex(np.array(parts.item_vectors)), ())


def with_interactions(parts: RunParts, **columns: pl.Expr) -> RunParts:
    rows = parts.dataset.interactions.with_columns(**columns)
    return replace(parts, dataset=replace(parts.dataset, interactions=rows))


def history(contents: GenerationContents, user: int) -> list[int]:
    start, end = contents.history_indptr[user : user + 2]
    return [int(row) for row in contents.history_rows[start:end]]


def test_everybody_keeps_their_history_oldest_first(parts: RunParts, networks: Networks) -> None:
    contents = contents_of(parts, networks)
    rows = parts.dataset.interactions

    for user in range(len(parts.dataset.users)):
        own = rows.filter(pl.col("user_row") == user).sort("order")
        assert history(contents, user) == own["item_row"].to_list()
    assert (contents.history_weight == rows["weight"].to_numpy()).all()


def test_what_somebody_disliked_is_remembered_but_weighs_nothing(
    parts: RunParts, networks: Networks
) -> None:
    disliked = pl.when(pl.col("item_row") == 3).then(pl.lit("negative")).otherwise(pl.col("role"))

    contents = contents_of(with_interactions(parts, role=disliked), networks)

    weights = contents.history_weight[contents.history_rows == 3]
    assert len(weights) > 0
    assert not weights.any()
    assert contents.history_weight[contents.history_rows != 3].all()
    assert contents.history_seen.all()


def test_what_somebody_only_looked_at_is_heard_and_not_seen(
    parts: RunParts, networks: Networks
) -> None:
    looked = pl.when(pl.col("item_row") == 3).then(pl.lit("weak")).otherwise(pl.col("role"))

    contents = contents_of(with_interactions(parts, role=looked), networks)

    assert (contents.history_seen == (contents.history_rows != 3)).all()
    assert not contents.history_seen.all()
    assert contents.history_weight.all()


def test_rows_that_the_data_set_holds_out_are_in_no_history(
    parts: RunParts, networks: Networks
) -> None:
    split = pl.when(pl.col("item_row") == 3).then(pl.lit("test")).otherwise(pl.lit("train"))
    held_out = with_interactions(parts, split=split)

    contents = contents_of(held_out, networks)

    assert 3 not in contents.history_rows
    assert len(contents.history_rows) == len(visible_interactions(held_out.dataset))
    assert 0 < len(contents.history_rows) < len(parts.dataset.interactions)


def test_a_generation_is_as_of_its_newest_interaction(parts: RunParts, networks: Networks) -> None:
    newest = int(parts.dataset.interactions["timestamp"].to_numpy().max())

    assert contents_of(parts, networks).as_of == datetime.fromtimestamp(newest, tz=UTC)


def test_without_times_it_is_as_of_nothing(parts: RunParts, networks: Networks) -> None:
    timeless = with_interactions(parts, timestamp=pl.lit(None, dtype=pl.Int64))

    assert contents_of(timeless, networks).as_of is None


def test_people_are_encoded_by_the_encoder_that_the_towers_were_trained_with(
    parts: RunParts, networks: Networks
) -> None:
    contents = contents_of(parts, networks)
    users = parts.dataset.users
    tables = (
        ("country", parts.user_encoder.countries.ids),
        ("age_bucket", parts.user_encoder.age_buckets.ids),
        ("gender", parts.user_encoder.genders.ids),
    )

    for column, (name, ids) in enumerate(tables):
        expected = [0 if v is None else 1 + ids.index(v.casefold()) for v in users[name]]
        assert contents.user_features[:, column].tolist() == expected
        assert len(set(expected)) > 1


def test_popularity_counts_people(parts: RunParts, networks: Networks) -> None:
    rows = parts.dataset.interactions.filter(pl.col("role") == "strong")
    people = rows.unique(["user_row", "item_row"]).group_by("item_row").len().sort("item_row")

    assert contents_of(parts, networks).popularity.tolist() == people["len"].to_list()


def test_the_towers_say_how_much_history_they_read(parts: RunParts, networks: Networks) -> None:
    assert contents_of(parts, networks).history_length == parts.towers.config.history_length


def test_the_space_has_one_name_until_encoder_or_weights_change(
    parts: RunParts, tmp_path: Path
) -> None:
    name = space_id(parts)
    other_way = replace(parts, featurizer=replace(parts.featurizer, name="onnx_text:same"))
    other_encoder = replace(parts, featurizer=replace(parts.featurizer, revision="other"))
    other_recipe = replace(parts, featurizer=replace(parts.featurizer, recipe="other"))
    moved = replace(parts, folder=copied_with_other_weights(parts.folder, tmp_path))

    assert space_id(parts) == space_id(other_way) == name
    assert len({name, space_id(other_encoder), space_id(other_recipe), space_id(moved)}) == 4


def copied_with_other_weights(run: Path, folder: Path) -> Path:
    for stage in ("foundation", "adaptation"):
        (folder / stage).mkdir()
        for path in (run / stage).glob("*.*"):
            (folder / stage / path.name).write_bytes(path.read_bytes())
    weights = folder / "adaptation" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(bytes(data))
    return folder
