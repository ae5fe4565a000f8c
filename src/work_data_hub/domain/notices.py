"""What a human is told when something failed, in words and as facts, and how far each way of telling has come."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any


class NoticeKind(StrEnum):
    """What failed."""

    RUN = "run_failed"
    CHECK = "check_failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One failure: what it is about, what happened, what to do next, and facts for machines."""

    kind: NoticeKind
    subject: str
    what: str
    what_next: str
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The plain text of a mail or a message."""
        facts = "\n".join(f"{name}: {value}" for name, value in self.facts.items() if value)
        return f"{self.what}\n\nNext: {self.what_next}\n\n{facts}\n"

    def as_json(self) -> dict[str, Any]:
        """The body of a webhook; `text` is what chat programs show."""
        told = asdict(self) | {"kind": self.kind.value, "facts": dict(self.facts)}
        return {"text": f"{self.subject}\n{self.text}", **told}


def positions(cursor: str | None, *, routes: Collection[str]) -> dict[str, int]:
    """The last event that each route has told, as `cursor_of` wrote it; without the routes that it does not know.

    A lone number holds for all of them; what is neither is as if nothing had been written.
    """
    try:
        written = json.loads(cursor or "{}")
    except ValueError:
        return {}
    if _is_position(written):
        return dict.fromkeys(routes, written)
    known = written if isinstance(written, dict) else {}
    return {name: known[name] for name in routes if _is_position(known.get(name))}


def cursor_of(reached: Mapping[str, int]) -> str:
    """The text that `positions` reads."""
    return json.dumps(dict(reached), sort_keys=True)


def _is_position(value: object) -> bool:
    return type(value) is int and value >= 0
