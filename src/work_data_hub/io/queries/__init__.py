"""The named queries in the .sql files beside this page."""

import re
from functools import cache
from importlib.resources import files

_HEADING = re.compile(r"^-- (\w+): .*$", re.MULTILINE)


def query(file: str, name: str) -> str:
    """The text of the query `name` in `file`.sql; each begins with a line `-- name: what it does`."""
    return _queries(file)[name]


@cache
def _queries(file: str) -> dict[str, str]:
    text = files(__name__).joinpath(f"{file}.sql").read_text(encoding="utf-8")
    parts = _HEADING.split(text)[1:]
    return {name: body.strip() for name, body in zip(parts[::2], parts[1::2], strict=True)}
