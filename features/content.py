"""Values that items share, such as their creator: which spellings count as the same value."""

import polars as pl


def content_key(values: pl.Series) -> pl.Series:
    """Fold spellings of case and white space together; null becomes "", which is no value.

    Items are joined by this key when the graph is built, and a new item finds its neighbours
    by it when it is served.

    Shapes:
        values: (N,). returns: (N,), text.
    """
    text = values.cast(pl.String).fill_null("").str.strip_chars().str.to_lowercase()
    return text.str.replace_all(r"\s+", " ")
