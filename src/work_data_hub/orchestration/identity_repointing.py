"""What an apply changes, and the change itself: facts, the reference rows that follow from them, other holders."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from functools import partial
from pathlib import Path

import pandas as pd

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.asked_again import AskedAgain
from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.identity.repointing import (
    Answer,
    Group,
    Move,
    Moves,
    Repointed,
    Rulings,
    repointed_facts,
    repointed_values,
)
from work_data_hub.domain.plans import LoadPlan, ReferencePlan
from work_data_hub.domain.reference_rules import Reference
from work_data_hub.domain.report import TableEffect
from work_data_hub.domain.spec import Domain
from work_data_hub.io.company_changes import (
    Doubted,
    doubted_plans,
    fact_groups,
    has_companies,
    identity_of,
    month_sums,
    moved_rows,
    stage_changes,
    sure_companies,
    undone_decisions,
)
from work_data_hub.io.company_holders import (
    Holder,
    gone_temporaries,
    holders,
    kept_customers,
    lock_index,
    moves,
    value_groups,
)
from work_data_hub.io.company_references import TouchedKeys
from work_data_hub.io.config_files import load_mapping
from work_data_hub.io.foreign_keys import load_references
from work_data_hub.io.identity_config import load_identity_overrides, load_identity_rules
from work_data_hub.io.identity_index import look_up
from work_data_hub.io.postgres import Connection, Cursor
from work_data_hub.io.reference_rows import lock_references
from work_data_hub.io.sync_jobs import kept_columns
from work_data_hub.orchestration.reference_plans import reference_plans

FACT_DOMAINS: tuple[Domain, ...] = tuple(domain for domain in DOMAINS.values() if has_companies(domain))
"""The domains whose facts keep a company, in the order in which they are loaded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The configuration that an apply follows."""

    config_dir: Path
    salt: str = field(repr=False)
    rules: Mapping[str, tuple[Reference, ...]]

    @classmethod
    def read(cls, config_dir: Path, *, salt: str) -> "Site":
        """Read the reference rules; raises ConfigError for one that cannot be."""
        return cls(config_dir=config_dir, salt=salt, rules=load_references(config_dir, DOMAINS))

    def book(self, connection: Connection) -> IdentityBook:
        """What is settled by hand and what the warehouse knows; the registry is not asked."""
        overrides, rules = load_identity_overrides(self.config_dir), load_identity_rules(self.config_dir)
        return IdentityBook.from_entries(
            plans=overrides.plan_ids,
            names=overrides.name_ids,
            salt=self.salt,
            no_plans=frozenset(load_mapping(self.config_dir, "plan_defaults").values()),
            rules=rules,
            look_up=partial(look_up, connection, searched_days=rules.searched_days),
        )

    def company_rules(self, domain: Domain) -> tuple[Reference, ...]:
        """The domain's reference rules that make a row for each company."""
        company = identity_of(domain).target
        return tuple(rule for rule in self.rules.get(domain.name, ()) if rule.source == company)

    @property
    def customer_rules(self) -> tuple[Reference, ...]:
        """One rule for each table with a row a company."""
        rules = (rule for domain in FACT_DOMAINS for rule in self.company_rules(domain))
        return tuple({rule.table: rule for rule in rules}.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class FactChanges:
    """The facts that change, by group, and what was decided when they were looked at."""

    changes: tuple[Repointed, ...]
    rulings: Rulings
    rows_examined: int

    @property
    def places(self) -> tuple[tuple[date, Domain], ...]:
        """The months and domains of the facts that change, in the order in which loads would come."""
        touched = {(c.group.month, c.group.table) for c in self.changes}
        months = sorted({month for month, _ in touched if month})
        return tuple((month, domain) for month in months for domain in FACT_DOMAINS if (month, domain.table) in touched)

    @property
    def first_month(self) -> date | None:
        """The first month in which any fact changes; None where none does."""
        return min((month for month, _ in self.places), default=None)

    def months_of(self, domain: Domain) -> tuple[date, ...]:
        """The months in which facts of the domain change."""
        return tuple(month for month, other in self.places if other is domain)


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomerMoves:
    """Rows of a table of customers kept under temporary ids: those that move, and those that make room."""

    rule: Reference
    moved: Mapping[str, str]
    dropped: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherChanges:
    """What follows for other tables: holders with the groups that change, and customers."""

    values: tuple[tuple[Holder, tuple[Repointed, ...]], ...]
    customers: tuple[CustomerMoves, ...]

    @property
    def recorded(self) -> Iterator[Repointed]:
        """The groups that are changed."""
        return (changed for _, changes in self.values for changed in changes)


def hold_shared(cursor: Cursor, site: Site) -> None:
    """Let no load recompute customers or write the index until the transaction ends.

    In the order in which loads take the same locks, or each could wait for the other for ever.
    """
    for domain in FACT_DOMAINS:
        rules = tuple(ReferencePlan(reference=rule, rows=pd.DataFrame()) for rule in site.company_rules(domain))
        nothing = LoadPlan(domain=domain, period=date.min, gold=pd.DataFrame(), references=rules)
        lock_references(cursor, nothing)
    lock_index(cursor)


def changing_facts(cursor: Cursor, site: Site) -> FactChanges:
    """Ask for the company of facts again, by what is stored today; reads only."""
    book, doubted = site.book(cursor.connection), doubted_plans(cursor, FACT_DOMAINS)
    groups = {domain.name: fact_groups(cursor, domain, doubted=doubted) for domain in FACT_DOMAINS}
    everything = [group for of_domain in groups.values() for group in of_domain]
    asked = AskedAgain.of(everything, book=book)
    rulings = replace(Rulings.of(asked.known.decisions, undone=undone_decisions(cursor)), doubted=doubted)
    answers = [
        answer
        for domain in FACT_DOMAINS
        for answer in _answers(cursor, domain, groups[domain.name], asked=asked, doubted=doubted)
    ]
    changes = repointed_facts(everything, answers, decisions=rulings)
    return FactChanges(changes=changes, rulings=rulings, rows_examined=sum(len(g.row_ids) for g in everything))


def _answers(
    cursor: Cursor, domain: Domain, groups: Sequence[Group], *, asked: AskedAgain, doubted: Doubted
) -> Iterator[Answer]:
    """What loads of the months would say, in the order of the groups, which come month by month."""
    by_month: dict[date, list[Group]] = defaultdict(list)
    for group in groups:
        if group.month:
            by_month[group.month].append(group)
    if not by_month:
        return
    least = asked.book.rules.surest_doubt
    sure = sure_companies(cursor, domain, months=by_month, surest_doubt=least, doubted=doubted)
    for month, alike in by_month.items():
        yield from asked.answers(alike, sure=sure[sure["month"] == month])


def changing_others(cursor: Cursor, site: Site, facts: FactChanges) -> OtherChanges:
    """What other tables have to follow, the facts' changes waiting in the stage; adds the others to the stage."""
    gone = gone_temporaries(cursor, facts.changes, domains=FACT_DOMAINS)
    values = []
    for holder in holders(cursor, site.rules, FACT_DOMAINS, kept=kept_columns(site.config_dir)):
        moved = _moves(cursor, holder, facts, gone)
        changes = repointed_values(value_groups(cursor, holder, moved), decisions=facts.rulings, moves=moved)
        if changes:
            stage_changes(cursor, changes)
            values.append((holder, changes))
    return OtherChanges(values=tuple(values), customers=_customers(cursor, site, gone))


def _moves(cursor: Cursor, holder: Holder, facts: FactChanges, gone: Mapping[str, str]) -> Moves:
    if holder.key is None or not facts.changes:
        return {}
    anywhere: Moves = {(None, temporary): Move(company_id=company) for temporary, company in gone.items()}
    return {**anywhere, **moves(cursor, holder, facts.changes)}


def _customers(cursor: Cursor, site: Site, gone: Mapping[str, str]) -> tuple[CustomerMoves, ...]:
    """Customers kept under temporary ids that are gone: under their company now, unless it has a row of its own."""
    found = []
    for rule in site.customer_rules if gone else ():
        kept = kept_customers(cursor, rule, gone)
        taken = kept_customers(cursor, rule, set(gone.values()))
        moved: dict[str, str] = {}
        for temporary in sorted(kept):
            if gone[temporary] not in taken:
                moved[temporary] = gone[temporary]
                taken.add(gone[temporary])
        dropped = {temporary: gone[temporary] for temporary in sorted(kept - moved.keys())}
        if kept:
            found.append(CustomerMoves(rule=rule, moved=moved, dropped=dropped))
    return tuple(found)


def month_plan(cursor: Cursor, site: Site, domain: Domain, month: date) -> LoadPlan | None:
    """The month's changing facts as a load of reference rows alone; None where no reference row follows from them."""
    rules = site.company_rules(domain)
    if not rules:
        return None
    orders = {name for rule in rules for name in rule.orders}
    reads = tuple(dict.fromkeys(name for rule in rules for name in (*rule.reads, domain.load.column)))
    gold = moved_rows(cursor, domain, month=month, reads=reads, orders=orders)
    references = reference_plans(rules, gold, config_dir=site.config_dir)
    return LoadPlan(domain=domain, period=month, gold=gold, references=references, skip_facts=True)


def sums_of(cursor: Cursor, facts: FactChanges) -> dict[str, dict[str, Decimal]]:
    """Rows and amounts of the months that change, by fact table."""
    return {
        domain.table: month_sums(cursor, domain, months=months)
        for domain in FACT_DOMAINS
        if (months := facts.months_of(domain))
    }


def table_effects(
    facts: FactChanges, others: OtherChanges, touched: Mapping[str, TouchedKeys]
) -> tuple[TableEffect, ...]:
    """What happens to each table, in rows; tables to which nothing happens are left out."""
    counts: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for changed in (*facts.changes, *others.recorded):
        counts[changed.group.table][1] += changed.rows
    for table, keys in touched.items():
        moved = {company for one in others.customers if one.rule.table == table for company in one.moved.values()}
        counts[table][0] += len(keys.added - moved)
        counts[table][1] += len(keys.changed | moved)
    for one in others.customers:
        counts[one.rule.table][2] += len(one.dropped)
    return tuple(
        TableEffect(table=table, inserted=inserted, updated=updated, deleted=deleted)
        for table, (inserted, updated, deleted) in counts.items()
        if inserted or updated or deleted
    )
