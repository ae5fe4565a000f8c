"""`wdh identity accept | choose | reject | merge | split | undo | decisions`: the options."""

from typing import Annotated

import typer

from work_data_hub.cli.lazy import deferred

_AT_ONCE = """
A decision is written at once and holds for every load from now on; stored rows follow with
`wdh identity apply`. It says who decided, when and why, and `wdh identity undo` takes it back."""
ACCEPT_HELP = f"""Decide that a name is the company that the registry or the index proposes.
{_AT_ONCE}"""
CHOOSE_HELP = f"""Decide that a name is a company of your choice.
{_AT_ONCE}"""
REJECT_HELP = f"""Decide that a name is not a company; the next matcher that knows another one decides.
{_AT_ONCE}"""
MERGE_HELP = f"""Decide that two ids are one company: what is FROM becomes INTO.
{_AT_ONCE}"""
SPLIT_HELP = f"""Decide that a name no longer belongs to a company, and perhaps to which other it does.

Without --to it gets what other matchers know of it, or its temporary id.
{_AT_ONCE}"""
UNDO_HELP = """Take a decision back. Loads from now on do without it; stored rows follow with `wdh identity apply`."""
DECISIONS_HELP = """List the decisions in force: which, who, when and why. Reads only."""

_Name = Annotated[str, typer.Argument(help="The customer's name, as people write it.")]
_Company = Annotated[str, typer.Argument(help="The company's id.")]
_Why = Annotated[str, typer.Option("--why", help="The reason, in a sentence.")]
_By = Annotated[str, typer.Option("--by", help="Who decides; without it you, as the system knows you.")]
_Plan = Annotated[str, typer.Option("--plan", help="Only in the plan of this code.")]
_Unknown = Annotated[
    bool, typer.Option("--unknown-company", help="Take an id that neither registry, index nor any row knows.")
]
_Report = Annotated[str, typer.Option(help="text, or json: one document on stdout.")]


def accept(name: _Name, why: _Why, plan: _Plan = "", by: _By = "", report: _Report = "text") -> None:
    """Accept the proposed company."""
    deferred("work_data_hub.cli.identity_decide_run:run_accept")(name=name, plan=plan, why=why, by=by, report=report)


def choose(
    name: _Name,
    company: _Company,
    why: _Why,
    plan: _Plan = "",
    by: _By = "",
    unknown_company: _Unknown = False,
    report: _Report = "text",
) -> None:
    """Choose a company."""
    deferred("work_data_hub.cli.identity_decide_run:run_choose")(
        name=name, company=company, plan=plan, why=why, by=by, unknown_company=unknown_company, report=report
    )


def reject(
    name: _Name,
    company: _Company,
    why: _Why,
    plan: _Plan = "",
    by: _By = "",
    unknown_company: _Unknown = False,
    report: _Report = "text",
) -> None:
    """Reject a company."""
    deferred("work_data_hub.cli.identity_decide_run:run_reject")(
        name=name, company=company, plan=plan, why=why, by=by, unknown_company=unknown_company, report=report
    )


def merge(
    from_company: Annotated[str, typer.Argument(metavar="FROM", help="The id that goes.")],
    into: Annotated[str, typer.Argument(metavar="INTO", help="The id that stays.")],
    why: _Why,
    by: _By = "",
    unknown_company: _Unknown = False,
    report: _Report = "text",
) -> None:
    """Merge two companies."""
    deferred("work_data_hub.cli.identity_decide_run:run_merge")(
        from_company=from_company, into=into, why=why, by=by, unknown_company=unknown_company, report=report
    )


def split(
    name: _Name,
    from_company: Annotated[str, typer.Option("--from", help="The company it no longer belongs to.")],
    why: _Why,
    to: Annotated[str, typer.Option("--to", help="The company it belongs to.")] = "",
    plan: _Plan = "",
    by: _By = "",
    unknown_company: _Unknown = False,
    report: _Report = "text",
) -> None:
    """Split a name off a company."""
    deferred("work_data_hub.cli.identity_decide_run:run_split")(
        name=name,
        from_company=from_company,
        to=to,
        plan=plan,
        why=why,
        by=by,
        unknown_company=unknown_company,
        report=report,
    )


def undo(
    decision_id: Annotated[int, typer.Argument(help="The decision's number.")],
    why: _Why,
    by: _By = "",
    report: _Report = "text",
) -> None:
    """Take a decision back."""
    deferred("work_data_hub.cli.identity_decide_run:run_undo")(decision_id=decision_id, why=why, by=by, report=report)


def decisions(
    undone: Annotated[bool, typer.Option("--all", help="With those that were undone.")] = False,
    report: _Report = "text",
) -> None:
    """List decisions."""
    deferred("work_data_hub.cli.identity_decide_run:run_decisions")(undone=undone, report=report)
