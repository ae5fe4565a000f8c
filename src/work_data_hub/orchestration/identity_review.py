"""Names in doubt listed with their evidence, sent out as a workbook, and the workbook's decisions taken back."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

from work_data_hub.domain.identity.decisions import Decision, DecisionKind, Why, same_claim, stands_already
from work_data_hub.domain.identity.evidence import Evidence
from work_data_hub.domain.identity.review import UncertainName, uncertain_names
from work_data_hub.domain.identity.temporary import is_temporary
from work_data_hub.errors import DataError, UnreadableWorkbook, UsageError
from work_data_hub.io.identity_decisions import decide, lock_decisions, read_decisions
from work_data_hub.io.identity_evidence import doubtful_names, gather_evidence, newest_decision
from work_data_hub.io.postgres import Connection, Cursor, read_only, transaction
from work_data_hub.io.returned_review import Answer, ReturnedReview, read_review
from work_data_hub.io.review_form import COMPANY, DECISION, LATER, PLAN, SHEET, WHY, ReviewFacts
from work_data_hub.io.review_workbook import review_items, write_review
from work_data_hub.log import get_logger
from work_data_hub.orchestration.identity_decisions import (
    ALL_DOMAINS,
    identity_warehouse,
    known_of,
    refuse_unknown,
)

log = get_logger(__name__)
_CELL_OF = {"COMPANY": COMPANY, "--why": WHY, "NAME": COMPANY}


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewRequest:
    """Which names to list: those in doubt, or also the settled ones; with so much money at least; so many at most."""

    min_money: Decimal = Decimal(0)
    limit: int | None = None
    settled: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The names asked for, and how many there are without the limit."""

    names: tuple[UncertainName, ...]
    total: int
    database: str
    newest_decision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeRequest:
    """A review workbook that came back, who sends it and whether its decisions are written."""

    path: Path
    actor: str
    execute: bool = False
    allow_unknown: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class TakenRow:
    """One decision of a workbook: where it stands there, and whether it is news."""

    cell: str
    decision: Decision
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedRow:
    """One answer of a workbook that cannot be taken: where, what is wrong and what to do."""

    cell: str
    message: str
    value: str | None
    hint: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a workbook's answers come to; nothing is written where any is refused."""

    returned: ReturnedReview
    rows: tuple[TakenRow, ...]
    refused: tuple[RefusedRow, ...]

    @property
    def new(self) -> tuple[TakenRow, ...]:
        return tuple(row for row in self.rows if row.is_new)

    @property
    def error(self) -> DataError | None:
        """The first refused row as an error, None where all can be taken."""
        if not self.refused:
            return None
        first = self.refused[0]
        return DataError(
            f"{len(self.refused)} of {len(self.refused) + len(self.rows)} answers cannot be taken, so none is;"
            f" the first: {first.message}",
            operation="take the review back",
            file=Path(self.returned.path).name,
            sheet=SHEET,
            cell=first.cell,
            input_data=first.value,
            hint=first.hint,
        )


def review(url: str, request: ReviewRequest) -> Review:
    """The names in doubt, most money first; reads only."""
    with identity_warehouse(url) as connection, read_only(connection), connection.cursor() as cursor:
        lists = doubtful_names(cursor, ALL_DOMAINS)
        names = {name for listed in lists.values() for name in listed}
        found = uncertain_names(gather_evidence(cursor, names, domains=ALL_DOMAINS), **lists)
        newest, database = newest_decision(cursor), str(connection.info.dbname)
    asked = tuple(one for one in found if (one.doubts or request.settled) and one.money >= request.min_money)
    return Review(
        names=asked if request.limit is None else asked[: request.limit],
        total=len(asked),
        database=database,
        newest_decision=newest,
    )


def send_out(listed: Review, path: Path, *, now: datetime) -> Path:
    """Write the names as a workbook to decide in; returns its path."""
    facts = ReviewFacts(
        workbook=uuid4().hex,
        written_at=now.isoformat(timespec="seconds"),
        database=listed.database,
        newest_decision=listed.newest_decision,
        items=review_items(listed.names),
    )
    return write_review(path, listed.names, facts=facts)


def take(url: str, request: TakeRequest) -> Taken:
    """What the answers of a workbook come to; written in one transaction when executed and none is refused."""
    returned = read_review(request.path)
    with identity_warehouse(url) as connection:
        opened: AbstractContextManager[Connection] = (
            transaction(connection) if request.execute else read_only(connection)
        )
        with opened, connection.cursor() as cursor:
            if request.execute:
                lock_decisions(cursor)
            _refuse_stranger(cursor, returned, database=str(connection.info.dbname))
            taken = _judged(cursor, returned, request)
            if request.execute and not taken.refused:
                taken = _written(cursor, taken)
    log.info("identity.review.taken", execute=request.execute, rows=len(taken.new), refused=len(taken.refused))
    return taken


def _written(cursor: Cursor, taken: Taken) -> Taken:
    rows = []
    for row in taken.rows:
        made = decide(cursor, row.decision) if row.is_new else None
        rows.append(TakenRow(cell=row.cell, decision=made.decision, is_new=made.is_new) if made else row)
    return Taken(returned=taken.returned, rows=tuple(rows), refused=())


def _refuse_stranger(cursor: Cursor, returned: ReturnedReview, *, database: str) -> None:
    """The numbers of decisions mean nothing in another warehouse."""
    facts = returned.facts
    if facts.database != database or facts.newest_decision > newest_decision(cursor):
        raise UnreadableWorkbook(
            f"it was written from the database {facts.database} as it stood on {facts.written_at}, not from this one",
            file=Path(returned.path).name,
            sheet=SHEET,
            input_data=database,
            hint="point DATABASE_URL to that database, or export a fresh workbook from this one",
        )


def _judged(cursor: Cursor, returned: ReturnedReview, request: TakeRequest) -> Taken:
    """Every answer judged against what stands and against the answers above it."""
    known = list(read_decisions(cursor, undone=True))
    evidence = gather_evidence(cursor, {answer.item.name for answer in returned.answers}, domains=ALL_DOMAINS)
    rows: list[TakenRow] = []
    refused: list[RefusedRow] = []
    for answer in returned.answers:
        if answer.decision == LATER and not answer.broken:
            refused += _undecided(answer)
            continue
        try:
            wanted = _wanted(answer, evidence, returned=returned, actor=request.actor)
            _refuse_surprise(wanted, answer, known=known, workbook=returned.facts.workbook)
            standing = stands_already(wanted, known)
            if standing is None and not request.allow_unknown:
                refuse_unknown(cursor, wanted)
        except UsageError as error:
            refused.append(_refused(answer, error))
            continue
        rows.append(TakenRow(cell=answer.cells[DECISION], decision=standing or wanted, is_new=standing is None))
        known += [wanted] if standing is None else []
    return Taken(returned=returned, rows=tuple(rows), refused=tuple(refused))


def _undecided(answer: Answer) -> Sequence[RefusedRow]:
    """A company without a decision: `later` says nothing, and a reason alone may stand there for later."""
    if not (answer.company or answer.plan):
        return ()
    message = "a company or plan is written, but no decision"
    hint = "choose a decision of the list, or clear the row's other answers"
    return (RefusedRow(cell=answer.cells[DECISION], message=message, value=answer.company or answer.plan, hint=hint),)


def _wanted(answer: Answer, evidence: Evidence, *, returned: ReturnedReview, actor: str) -> Decision:
    """The decision that an answer asks for; raises UsageError for an answer that is none."""
    _refuse_unusable(answer)
    origin = {"workbook": returned.facts.workbook, "file": Path(returned.path).name, "cell": answer.cells[DECISION]}
    why = Why(reason=answer.why, actor=actor, evidence={**known_of(answer.item.name, evidence), **origin})
    name, plan, company = answer.item.name, answer.plan or None, answer.company
    match DecisionKind(answer.decision):
        case DecisionKind.ACCEPT:
            accepted = _accepted(answer, evidence)
            return Decision.choose(name, accepted, plan=plan, why=why, kind=DecisionKind.ACCEPT)
        case DecisionKind.CHOOSE:
            return Decision.choose(name, _required(company), plan=plan, why=why)
        case DecisionKind.REJECT:
            return Decision.reject(name, _required(company or answer.item.proposed), plan=plan, why=why)
        case _:
            return Decision.split(name, _required(company or _only_present(answer)), into=None, plan=plan, why=why)


def _refuse_unusable(answer: Answer) -> None:
    for name in answer.broken:
        raise UsageError(
            "the cell holds no usable value", field=name, hint="type the value; let Excel calculate a formula and save"
        )
    if not answer.is_known:
        raise UsageError(
            "not a decision", field=DECISION, input_data=answer.decision, hint="choose a decision of the list"
        )


def _accepted(answer: Answer, evidence: Evidence) -> str:
    """The company that the workbook proposed, as long as it still is proposed."""
    shown = answer.item.proposed
    if shown is None:
        raise UsageError("no company was proposed", field=DECISION, hint="choose one: 改选 · choose")
    if answer.company and answer.company != shown:
        raise UsageError(
            f"{shown} was proposed, and another company is written",
            field=COMPANY,
            input_data=answer.company,
            hint="clear the company, or decide 改选 · choose",
        )
    now = [proposal.company_id for proposal in evidence.proposals(answer.item.name)]
    settled = any(made.to_company == shown for made in evidence.of(answer.item.name))
    if shown not in now[:1] and not settled:
        raise UsageError(
            f"{shown} is no longer what is proposed, but {now[0] if now else 'nothing'}",
            field=DECISION,
            hint="export a fresh workbook",
        )
    return shown


def _only_present(answer: Answer) -> str | None:
    real = [company for company in answer.item.present if not is_temporary(company)]
    return real[0] if len(real) == 1 else None


def _required(company: str | None) -> str:
    if not company:
        raise UsageError("the company is missing", field=COMPANY, hint="write its id")
    return company


def _refuse_surprise(wanted: Decision, answer: Answer, *, known: Sequence[Decision], workbook: str) -> None:
    """What others decided since the workbook was written, or took back of it, its sender has not seen."""
    for made in known:
        own = made.evidence.get("workbook") == workbook
        if made.name != wanted.name or (made.is_in_force and (own or made.decision_id in answer.item.decisions)):
            continue
        if made.is_in_force and not same_claim(made, wanted):
            raise UsageError(
                f"decided meanwhile: decision {made.decision_id} of {made.actor} says {made.says}",
                field=DECISION,
                input_data=made.reason,
                hint="export a fresh workbook, or delete the row",
            )
        if own and not made.is_in_force and same_claim(made, wanted):
            raise UsageError(
                f"{made.undone_by} took this decision back: decision {made.decision_id}, {made.undone_reason}",
                field=DECISION,
                hint="delete the row, or decide it again from a fresh workbook",
            )


def _refused(answer: Answer, error: UsageError) -> RefusedRow:
    name = _CELL_OF.get(error.field or "", error.field or DECISION)
    cell = answer.cells.get(name if name in (COMPANY, PLAN, WHY) else DECISION, answer.cells[DECISION])
    return RefusedRow(cell=cell, message=error.message, value=error.input_data, hint=error.hint)
