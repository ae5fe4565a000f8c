"""`wdh identity review`: names in doubt shown, sent out as a workbook, and a workbook's decisions taken back."""

import getpass
import json
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.complaints import complain
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import table_lines
from work_data_hub.domain.identity.evidence import Proposal
from work_data_hub.domain.identity.review import UncertainName
from work_data_hub.domain.report import error_json
from work_data_hub.errors import UsageError
from work_data_hub.io.database import existing_url
from work_data_hub.orchestration.identity_decisions import notes_on
from work_data_hub.orchestration.identity_review import (
    Review,
    ReviewRequest,
    Taken,
    TakenRow,
    TakeRequest,
    review,
    send_out,
    take,
)
from work_data_hub.orchestration.places import describe_database

SHOWN, _CANDIDATES, _PLANS = 20, 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class _Call:
    """One call, as typed."""

    min_money: str
    limit: int | None
    settled: bool
    xlsx: str
    take: str
    execute: bool
    by: str
    unknown_company: bool
    report: str

    def __post_init__(self) -> None:
        refuse_form(self.report)
        if self.take and (self.xlsx or self.settled or self.limit is not None or self.min_money != "0"):
            raise UsageError("--take lists nothing", field="--take", hint="call again without the other options")
        if not self.take and (self.execute or self.by or self.unknown_company):
            raise UsageError(
                "a list writes nothing", field="--execute", hint="give --take FILE with it, or leave it out"
            )

    @property
    def as_json(self) -> bool:
        return self.report == "json"

    @property
    def request(self) -> ReviewRequest:
        """What is asked for; a workbook and JSON have all names unless a limit is given, text the first."""
        unlimited = None if self.as_json or self.xlsx else SHOWN
        limit = unlimited if self.limit is None else self.limit or None
        return ReviewRequest(min_money=_money(self.min_money), limit=limit, settled=self.settled)


def run_review(**options: Any) -> int:
    """List, send out or take back; returns the exit code."""
    call = _Call(**options)
    settings = open_door()
    url = existing_url(settings)
    if call.take:
        return _take(call, url, config_dir=settings.config_dir)
    listed = review(url, call.request)
    path = _sent_out(listed, call.xlsx) if call.xlsx and listed.names else None
    if call.as_json:
        _print_json(listed, path)
    else:
        print("\n".join(_lines(listed, path)))
    return 0


def _money(text: str) -> Decimal:
    try:
        amount = Decimal(text.replace(",", ""))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise UsageError("not an amount", field="--min-money", input_data=text, hint="give 元, such as 1000000")
    return amount


def _sent_out(listed: Review, file: str) -> Path:
    path = Path(file)
    if path.suffix.lower() != ".xlsx":
        raise UsageError("a workbook ends in .xlsx", field="--xlsx", input_data=file, hint="--xlsx review.xlsx")
    if path.exists():
        raise UsageError(
            "there is a file already, perhaps with decisions in it",
            field="--xlsx",
            input_data=file,
            hint="name another file",
        )
    try:
        return send_out(listed, path, now=datetime.now(UTC)).absolute()
    except OSError as error:
        raise UsageError(
            f"the workbook cannot be written: {error.strerror}",
            field="--xlsx",
            input_data=file,
            hint="name a file in a folder that can be written to",
        ) from error


def _print_json(listed: Review, path: Path | None) -> None:
    document = {
        "command": "identity review",
        "names": [one.as_json() for one in listed.names],
        "total": listed.total,
        "workbook": str(path) if path else None,
        "error": None,
    }
    print(json.dumps(document, ensure_ascii=False, indent=2))


def _lines(listed: Review, path: Path | None) -> Iterator[str]:
    if not listed.total:
        yield "no name in doubt"
    if path:
        yield f"{len(listed.names):,} names to decide in {path}"
        yield f"next: fill in its yellow columns, then {shlex.join(['wdh', 'identity', 'review', '--take', str(path)])}"
        return
    for number, one in enumerate(listed.names, start=1):
        yield from _name_lines(number, one)
    if listed.total > len(listed.names):
        more = listed.total - len(listed.names)
        yield f"… and {more:,} more: --limit 0 shows all, --xlsx FILE writes them to decide in"
    if listed.names:
        yield "next: wdh identity accept|choose|reject|split NAME … --why TEXT; wdh identity explain NAME tells more"


def _name_lines(number: int, one: UncertainName) -> Iterator[str]:
    normalised = f" → {one.name}" if one.written != one.name else ""
    yield f"{number}. {one.written}{normalised}"
    yield from (f"   {doubt}" for doubt in one.doubts)
    facts = [["   proposed", _proposal(one.proposal)]]
    facts += [["   or", _proposal(candidate)] for candidate in one.candidates[:_CANDIDATES]]
    more = len(one.candidates) - _CANDIDATES
    facts += [["   or", f"{more} more"]] if more > 0 else []
    facts += [["   rows", _rows(one)]] if one.rows else []
    facts += [["   decided", f"{made.decision_id} {made.says} ({made.actor})"] for made in one.decisions]
    yield from table_lines(facts, indent=0)


def _proposal(proposal: Proposal | None) -> str:
    if proposal is None:
        return "nothing"
    code = f" {proposal.unite_code}" if proposal.unite_code else ""
    return f"{proposal.words}{code} ({proposal.source})"


def _rows(one: UncertainName) -> str:
    plans = ", ".join(one.plans[:_PLANS]) + (f" and {len(one.plans) - _PLANS} more" if len(one.plans) > _PLANS else "")
    parts = [f"{one.rows:,}", one.months, f"now {', '.join(one.companies) or 'without a company'}"]
    parts += [f"plans {plans}"] if plans else []
    parts += [f"{at} {amount:,.2f}" for at, amount in _largest(one)]
    return " · ".join(parts)


def _largest(one: UncertainName) -> list[tuple[str, Decimal]]:
    return sorted(one.amounts.items(), key=lambda pair: -abs(pair[1]))[:1]


def _take(call: _Call, url: str, *, config_dir: Path) -> int:
    request = TakeRequest(
        path=Path(call.take),
        actor=call.by or getpass.getuser(),
        execute=call.execute,
        allow_unknown=call.unknown_company,
    )
    taken = take(url, request)
    notes = notes_on([row.decision for row in taken.new], config_dir=config_dir)
    if call.as_json:
        _print_taken(call, taken, notes=notes)
    else:
        print(headline(describe_database(url), execute=call.execute))
        print("\n".join(_taken_lines(call, taken, notes=notes)))
    if taken.error is None:
        return 0
    if not call.as_json:
        complain(taken.error)
    return taken.error.exit_code


def _print_taken(call: _Call, taken: Taken, *, notes: Sequence[str]) -> None:
    failed, mode = taken.error, "execute" if call.execute else "plan"
    status = "failed" if failed else "unchanged" if not taken.new else "decided" if call.execute else "planned"
    document = {
        "command": "identity review",
        "mode": mode,
        "status": status,
        "file": taken.returned.path,
        "decisions": [{"cell": row.cell, "is_new": row.is_new, **row.decision.as_json()} for row in taken.rows],
        "refused": [
            {"cell": row.cell, "message": row.message, "value": row.value, "hint": row.hint} for row in taken.refused
        ],
        "left_open": taken.returned.left_open,
        "notes": list(notes),
        "error": error_json(failed) if failed else None,
    }
    print(json.dumps(document, ensure_ascii=False, indent=2))


def _taken_lines(call: _Call, taken: Taken, *, notes: Sequence[str]) -> Iterator[str]:
    word = "not written" if call.execute and taken.refused else "decided" if call.execute else "to decide"
    if taken.rows:
        yield from table_lines([_taken_cells(row, word=word) for row in taken.rows])
    for wrong in taken.refused:
        value = f" ({wrong.value})" if wrong.value else ""
        yield f"  {wrong.cell}  cannot be taken: {wrong.message}{value}; {wrong.hint}"
    yield f"  {taken.returned.left_open:,} names left open"
    yield from (f"  note: {note}" for note in notes)
    if taken.refused:
        return
    if not taken.new:
        yield "nothing to do: no decision in it is news"
    elif call.execute:
        yield f"{len(taken.new):,} decisions written; next: wdh identity apply brings stored rows to them"
    else:
        flags = ["--unknown-company"] if call.unknown_company else []
        flags += ["--by", call.by] if call.by else []
        yield f"next: {shlex.join(['wdh', 'identity', 'review', '--take', call.take, *flags, '--execute'])}"


def _taken_cells(row: TakenRow, *, word: str) -> list[str]:
    made = row.decision
    stands = f"stands already ({made.decision_id}, {made.actor})" if made.decision_id else "as another row here"
    return [row.cell, word if row.is_new else stands, f"{made.kind}: {made.says}", made.reason]
