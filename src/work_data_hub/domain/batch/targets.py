"""The allow-list of targets: the tables and indexes that pipelines may fill, and what each takes."""

from collections.abc import Mapping
from dataclasses import dataclass, field

INDEX_PREFIX = "es:"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableTarget:
    """A table of the warehouse: one row a key; of a source row the columns named here are taken.

    `required` columns must be given by the query; others that it lacks are left alone. `updated_at` says when a
    row last changed, `deleted_at` when the source was seen without it.
    """

    name: str
    key: str
    columns: tuple[str, ...]
    required: tuple[str, ...]

    @property
    def schema(self) -> str:
        """The schema's name."""
        return self.name.partition(".")[0]

    @property
    def table(self) -> str:
        """The table's name without its schema."""
        return self.name.partition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexTarget:
    """An Elasticsearch index: one document a key, which is also its `_id`; `mapping` makes a missing index."""

    name: str
    key: str
    columns: tuple[str, ...]
    required: tuple[str, ...]
    mapping: Mapping[str, Mapping[str, object]] = field(default_factory=dict)

    @property
    def index(self) -> str:
        """The index's name."""
        return self.name.removeprefix(INDEX_PREFIX)


_KEYWORD: Mapping[str, object] = {"type": "keyword"}
_FLOAT: Mapping[str, object] = {"type": "float"}

TARGETS: Mapping[str, TableTarget | IndexTarget] = {
    target.name: target
    for target in (
        TableTarget(
            name="analytics.film_dim",
            key="film_id",
            columns=("film_id", "title", "rating"),
            required=("film_id", "title"),
        ),
        TableTarget(
            name="analytics.film_rating_agg",
            key="film_id",
            columns=("film_id", "avg_rating", "rating_count"),
            required=("film_id", "avg_rating", "rating_count"),
        ),
        IndexTarget(
            name="es:film_dim",
            key="film_id",
            columns=("film_id", "title", "rating"),
            required=("film_id", "title"),
            mapping={
                "film_id": _KEYWORD,
                "title": {"type": "text", "fields": {"raw": _KEYWORD}},
                "rating": _FLOAT,
            },
        ),
        IndexTarget(
            name="es:film_rating_agg",
            key="film_id",
            columns=("film_id", "avg_rating", "rating_count"),
            required=("film_id", "avg_rating", "rating_count"),
            mapping={"film_id": _KEYWORD, "avg_rating": _FLOAT, "rating_count": {"type": "integer"}},
        ),
    )
}


def is_allowed(name: str) -> bool:
    """Whether a pipeline may write there: an exact match, nothing like it."""
    return name in TARGETS
