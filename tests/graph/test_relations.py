"""Slots and relations of a small schema, written down by hand."""

from graph.relations import RelationSchema


def test_both_ends_of_a_pair_of_types_share_one_relation() -> None:
    schema = RelationSchema(("book", "film", "podcast"), ("creator", "series"))
    assert schema.names == (
        "book-book",
        "book-film",
        "book-podcast",
        "film-film",
        "film-podcast",
        "podcast-podcast",
        "creator",
        "series",
    )
    assert schema.table.tolist() == [[0, 1, 2, 6, 7], [1, 3, 4, 6, 7], [2, 4, 5, 6, 7]]
    assert (schema.num_slots, schema.num_relations, schema.num_co_interaction) == (5, 8, 6)


def test_one_type_has_one_relation() -> None:
    schema = RelationSchema(("book",))
    assert schema.names == ("book-book",)
    assert schema.table.tolist() == [[0]]
