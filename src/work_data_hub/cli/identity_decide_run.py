"""`wdh identity accept | choose | reject | merge | split | undo | decisions`: what the commands do."""

import getpass
import json
from collections.abc import Callable
from typing import Any

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.cli.text_table import table_lines
from work_data_hub.domain.identity.decisions import Decision, Why
from work_data_hub.io.database import existing_url
from work_data_hub.io.identity_decisions import Decided
from work_data_hub.orchestration.identity_decisions import accept, list_decisions, notes_on, take_back, write_decision
from work_data_hub.orchestration.places import describe_database

NEXT = "wdh identity apply"


def run_accept(*, name: str, plan: str, why: str, by: str, report: str) -> None:
    """Accept the company that is proposed for a name."""
    reason = _why(why, by)
    _decide("accept", lambda url: accept(url, name, plan=plan, why=reason), report=report)


def run_choose(*, name: str, company: str, plan: str, why: str, by: str, unknown_company: bool, report: str) -> None:
    """Choose a company for a name."""
    made = Decision.choose(name, company, plan=plan, why=_why(why, by))
    _write(made, unknown_company=unknown_company, report=report)


def run_reject(*, name: str, company: str, plan: str, why: str, by: str, unknown_company: bool, report: str) -> None:
    """Rule a company out for a name."""
    made = Decision.reject(name, company, plan=plan, why=_why(why, by))
    _write(made, unknown_company=unknown_company, report=report)


def run_merge(*, from_company: str, into: str, why: str, by: str, unknown_company: bool, report: str) -> None:
    """Make two ids one company."""
    _write(Decision.merge(from_company, into, why=_why(why, by)), unknown_company=unknown_company, report=report)


def run_split(
    *, name: str, from_company: str, to: str, plan: str, why: str, by: str, unknown_company: bool, report: str
) -> None:
    """Take a name away from a company."""
    made = Decision.split(name, from_company, into=to or None, plan=plan, why=_why(why, by))
    _write(made, unknown_company=unknown_company, report=report)


def run_undo(*, decision_id: int, why: str, by: str, report: str) -> None:
    """Take a decision back."""
    reason = _why(why, by)
    refuse_form(report)
    url = existing_url(open_door())
    undone = take_back(url, decision_id, why=reason)
    status = "undone" if undone.is_new else "unchanged"
    if report == "json":
        _print("undo", status, undone.decision)
        return
    print(headline(describe_database(url), execute=True))
    when = f"{undone.decision.undone_at:%Y-%m-%d %H:%M}" if undone.decision.undone_at else ""
    word = "undone" if undone.is_new else f"was undone already, {when} by {undone.decision.undone_by}"
    print(f"decision {decision_id} {word}: {undone.decision.says}")
    print(f"next: {NEXT} brings stored rows to what holds without it")


def run_decisions(*, undone: bool, report: str) -> None:
    """Print the decisions, oldest first."""
    refuse_form(report)
    listed = list_decisions(existing_url(open_door()), undone=undone)
    if report == "json":
        document = {"command": "identity decisions", "decisions": [made.as_json() for made in listed], "error": None}
        print(json.dumps(document, ensure_ascii=False, indent=2))
        return
    if not listed:
        print("no decision" if undone else "no decision in force; --all lists those that were undone")
        return
    print("\n".join(table_lines([["no", "decision", "by", "when", "why"], *(_cells(made) for made in listed)])))


def _cells(made: Decision) -> list[str]:
    when = f"{made.decided_at:%Y-%m-%d %H:%M}" if made.decided_at else ""
    undone = "" if made.is_in_force else f" [undone by {made.undone_by}: {made.undone_reason}]"
    return [str(made.decision_id), f"{made.kind}: {made.says}", made.actor, when, made.reason + undone]


def _why(why: str, by: str) -> Why:
    return Why(reason=why, actor=by or getpass.getuser())


def _write(made: Decision, *, unknown_company: bool, report: str) -> None:
    _decide(made.kind.value, lambda url: write_decision(url, made, allow_unknown=unknown_company), report=report)


def _decide(command: str, write: Callable[[str], Decided], *, report: str) -> None:
    refuse_form(report)
    settings = open_door()
    url = existing_url(settings)
    done = write(url)
    made, notes = done.decision, notes_on([done.decision], config_dir=settings.config_dir)
    if report == "json":
        _print(command, "decided" if done.is_new else "unchanged", made, notes=notes)
        return
    print(headline(describe_database(url), execute=True))
    if done.is_new:
        print(f"decision {made.decision_id}: {made.says}")
        print(f"loads from now on follow it; next: {NEXT} brings stored rows to it")
    else:
        when = f"{made.decided_at:%Y-%m-%d %H:%M}" if made.decided_at else ""
        print(f"stands already: decision {made.decision_id} of {made.actor}, {when}: {made.says} ({made.reason})")
    for note in notes:
        print(f"note: {note}")


def _print(command: str, status: str, made: Decision, *, notes: tuple[str, ...] = ()) -> None:
    document: dict[str, Any] = {
        "command": f"identity {command}",
        "status": status,
        "decision": made.as_json(),
        "notes": list(notes),
        "next": NEXT,
        "error": None,
    }
    print(json.dumps(document, ensure_ascii=False, indent=2))
