"""A warehouse whose rows change their company: loaded without knowing it, then told, then applied."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg2
from psycopg2 import sql

from tests.domain.domain_rows import CONFIG, rows
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.identity.knowledge import IdentityBook, nothing_known
from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.domain.identity.repointing_report import ApplyReport
from work_data_hub.domain.identity.temporary import temporary_id
from work_data_hub.domain.period import Period
from work_data_hub.domain.plans import LoadPlan, ReferencePlan
from work_data_hub.domain.refine import refine
from work_data_hub.domain.run import RefineRun
from work_data_hub.domain.spec import Domain
from work_data_hub.io.config_files import load_mappings
from work_data_hub.io.faults import NO_FAULTS
from work_data_hub.io.foreign_keys import load_references
from work_data_hub.io.identity_config import load_identity_overrides
from work_data_hub.io.identity_index import look_up
from work_data_hub.io.month_load import publish
from work_data_hub.io.postgres import connect, transaction
from work_data_hub.orchestration.identity_apply import ApplyRequest, apply_identity
from work_data_hub.orchestration.requests import Workplace

SALT = "test"
RULES = load_references(CONFIG, DOMAINS)
PERFORMANCE, INCOME, AWARD, LOSS = (
    DOMAINS[name] for name in ("annuity_performance", "annuity_income", "annual_award", "annual_loss")
)


def temporary(name: str) -> str:
    """The temporary id of a name that is its own comparable form."""
    return temporary_id(name, salt=SALT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """A migrated warehouse, spoken to in the words of the tests."""

    url: str

    def run(self, statement: str | sql.Composable, *values: Any) -> list[tuple[Any, ...]]:
        """Run one statement and commit; the rows it gives, if any."""
        connection = psycopg2.connect(self.url)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values or None)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def load(
        self, domain: Domain = PERFORMANCE, *, period: str = "202410", knowing: bool = False, **cells: Any
    ) -> None:
        """Load a month of rows; `knowing` asks the index and the decisions, as loads do."""
        month, overrides = Period.parse(period), load_identity_overrides(CONFIG)
        connection = connect(self.url)
        try:
            book = IdentityBook.from_entries(
                plans=overrides.plan_ids,
                names=overrides.name_ids,
                salt=SALT,
                no_plans=frozenset(load_mappings(CONFIG)["plan_defaults"].values()),
                look_up=partial(look_up, connection, searched_days=30) if knowing else nothing_known,
            )
            run = RefineRun(
                run_id="test", period=month, today=month.last_day, mappings=load_mappings(CONFIG), book=book
            )
            gold = refine(domain, rows(domain, **{domain.load.column: period} | cells), run).gold
            references = tuple(ReferencePlan.of(rule, gold) for rule in RULES[domain.name])
            plan = LoadPlan(domain=domain, period=month.first_day, gold=gold, references=references, allow_shrink=True)
            with transaction(connection), connection.cursor() as cursor:
                publish(cursor, plan, load_id=1, faults=NO_FAULTS)
        finally:
            connection.close()

    def know(self, company: str, *, name: str | None = None, plan: str | None = None) -> None:
        """Tell the index whose name, or single plan, or name within a plan this is."""
        kind = {(True, False): "customer_name", (False, True): "plan_code", (True, True): "plan_customer"}[
            name is not None, plan is not None
        ]
        self.run(
            "insert into enterprise.enrichment_index"
            " (lookup_key, lookup_type, company_id, confidence, source, normaliser_version)"
            " values (%s, %s, %s, 0.9, 'manual', %s)",
            "|".join(part for part in (plan, name) if part),
            kind,
            company,
            NORMALISER_VERSION,
        )

    def decide(
        self,
        kind: str,
        name: str | None = None,
        *,
        plan: str | None = None,
        start: str | None = None,
        end: str | None = None,
    ) -> int:
        """Write a decision; returns its number."""
        number: int = self.run(
            "insert into enterprise.identity_decisions"
            " (kind, normalized_name, plan_code, from_company, to_company, reason, actor)"
            " values (%s, %s, %s, %s, %s, 'test', 'tester') returning decision_id",
            *(kind, name, plan, start, end),
        )[0][0]
        return number

    def undo(self, number: int) -> None:
        """Take a decision back."""
        self.run(
            "update enterprise.identity_decisions set undone_at = now(), undone_by = 'tester' where decision_id = %s",
            number,
        )

    def apply(self, *, execute: bool = True, lock_wait_seconds: float = 0.0, config: Path = CONFIG) -> ApplyReport:
        """Apply what is known and decided; a plan before it must have said the same."""
        place = Workplace(
            data_root=Path(), config_dir=config, home=Path(), database_url=self.url, alias_salt=SALT, actor="tester"
        )
        planned = apply_identity(ApplyRequest(run_id="plan"), place)
        if not execute:
            return planned
        done = apply_identity(ApplyRequest(run_id="test", execute=True, lock_wait_seconds=lock_wait_seconds), place)
        assert (done.changes, set(done.tables), done.sums) == (planned.changes, set(planned.tables), planned.sums)
        return done

    def companies(self, domain: Domain = PERFORMANCE) -> list[str | None]:
        """The company of each fact, in the order of the facts."""
        return [row[0] for row in self.facts(domain, "company_id")]

    def facts(self, domain: Domain, *columns: str) -> list[tuple[Any, ...]]:
        """These columns of the facts, by month and row."""
        statement = sql.SQL("select {} from {} order by {}, _source_sheet, _source_row, id").format(
            sql.SQL(", ").join(map(sql.Identifier, columns)),
            sql.Identifier(*domain.schema_and_table),
            sql.Identifier(domain.load.column),
        )
        return self.run(statement)

    def everything(self, domain: Domain) -> list[tuple[Any, ...]]:
        """Every cell of the facts that a load of the same workbook would write again."""
        statement = sql.SQL(
            "select (to_jsonb(f) - '{{id,created_at,updated_at,_load_id}}'::text[])::text from {} as f order by 1"
        ).format(sql.Identifier(*domain.schema_and_table))
        return self.run(statement)
