"""`wdh domain new`: a sample is read, tried and shown; the four files are written when asked for."""

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from work_data_hub.cli.doors import open_door
from work_data_hub.cli.text_table import page_width, table_lines
from work_data_hub.domain.bronze import Bronze
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.describe import kind_words
from work_data_hub.domain.domain_draft import Draft, Wish, check_name, draft_domain
from work_data_hub.domain.draft_columns import DraftColumn, Sample, column_name
from work_data_hub.domain.draft_texts import block_lines, declaration_text, example_text, examples, migration_text
from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.period import Period
from work_data_hub.domain.quarantine import describe, first_reject_facts
from work_data_hub.domain.refine import refine
from work_data_hub.domain.run import Outcome, RefineRun
from work_data_hub.errors import DataError, UsageError
from work_data_hub.io.config_files import load_mappings
from work_data_hub.io.database_check import NEEDED
from work_data_hub.io.domain_files import DomainFiles, places_for, sources_text, write_all
from work_data_hub.io.domain_samples import read_as, read_sample
from work_data_hub.io.identity_config import load_identity_overrides
from work_data_hub.settings import Settings

USUAL_FOLDER = "{YYYYMM}/收集数据/数据采集"
_SHOWN_REJECTS, _LONGEST_EXAMPLE = 5, 40
# Temporary ids are not written down, so any salt will do.
_SALT = "sample"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A draft, what it makes of its sample, and where its files go."""

    draft: Draft
    sample: Sample
    bronze: Bronze
    outcome: Outcome
    files: DomainFiles
    folder: str

    @property
    def texts(self) -> Mapping[Path, str]:
        """The content of the four files."""
        files, draft, name = self.files, self.draft, self.draft.wish.name
        lines = block_lines(draft, folder=self.folder, file=Path(self.sample.file).name, sheet=self.sample.sheet)
        return {
            files.declaration: declaration_text(draft),
            files.sources: sources_text(files, name=name, lines=lines),
            files.migration: migration_text(draft, revision=files.revision, down_revision=files.down_revision),
            files.test: example_text(draft, examples(draft, self.bronze, self.outcome)),
        }


def new_domain(
    name: str, *, source: str, sheet: str, table: str, title: str, folder: str, month: str, execute: bool
) -> None:
    """Print the draft of a domain and, executing, write its four files; the plan prints how to execute it."""
    settings = open_door()
    files = places_for(check_name(name), config_dir=settings.config_dir)
    sample = read_sample(Path(source), sheet=sheet)
    named = title or re.sub(r"[\"'\\]", "", sample.sheet)[:30]
    wish = Wish(name=name, title=named, table=table or f"business.{column_name(named, taken=())}", month=month)
    _refuse_taken(wish)
    draft = draft_domain(sample, wish)
    bronze = read_as(draft.domain, Path(source), sheet=sample.sheet)
    outcome = _tried(draft, bronze, settings)
    drafted = Drafted(
        draft=draft,
        sample=sample,
        bronze=bronze,
        outcome=outcome,
        files=files,
        folder=folder or folder_of(Path(source), data_root=settings.data_root, period=draft.period),
    )
    texts = drafted.texts
    if execute:
        write_all(files, texts)
    _show(drafted, executed=execute)
    asked = {"sheet": sheet, "table": table, "title": title, "folder": folder, "month": month}
    _next_steps(drafted, source=source, asked=asked, executed=execute)


def folder_of(path: Path, *, data_root: Path, period: Period) -> str:
    """The folder of the sample below the data root, its month as a placeholder; else the usual one."""
    places = {period.yyyymm: "{YYYYMM}", period.yyyymm[:4]: "{YYYY}", period.yyyymm[4:]: "{MM}"}
    folder, root = path.resolve().parent, data_root.resolve()
    if not folder.is_relative_to(root):
        return USUAL_FOLDER
    parts = [places.get(part, part) for part in folder.relative_to(root).parts]
    found = [part for part in parts if not re.fullmatch(r"V\d+", part)]
    return "/".join(found) if "{YYYYMM}" in found or {"{YYYY}", "{MM}"} <= set(found) else USUAL_FOLDER


def _refuse_taken(wish: Wish) -> None:
    if wish.name in DOMAINS:
        raise UsageError("the domain is declared already", field="NAME", input_data=wish.name, hint="wdh domain list")
    if wish.table in NEEDED:
        raise UsageError("the table is there already", field="--table", input_data=wish.table, hint="choose another")
    schemas = sorted({domain.schema_and_table[0] for domain in DOMAINS.values()})
    if wish.table.partition(".")[0] not in schemas:
        rule = f"a schema that domains use: {', '.join(schemas)}"
        raise UsageError("not a schema for facts", field="--table", input_data=wish.table, rule=rule)


def _tried(draft: Draft, bronze: Bronze, settings: Settings) -> Outcome:
    """The sample as the draft would load it; raises DataError when no row would pass."""
    overrides = load_identity_overrides(settings.config_dir)
    run = RefineRun(
        run_id="draft",
        period=draft.period,
        today=date.today(),
        mappings=load_mappings(settings.config_dir),
        book=IdentityBook.from_entries(plans=overrides.plan_ids, names=overrides.name_ids, salt=_SALT),
    )
    outcome = refine(draft.domain, bronze, run)
    if outcome.gold.empty:
        facts = first_reject_facts(outcome.rejects)
        raise DataError("the draft accepts no row of the sample; the first", domain=draft.wish.name, **facts)
    return outcome


def _show(drafted: Drafted, *, executed: bool) -> None:
    draft, sample, outcome = drafted.draft, drafted.sample, drafted.outcome
    print("WRITTEN" if executed else "PLAN — nothing was written")
    print(f"{draft.wish.name} · {draft.wish.title} → {draft.wish.table}")
    facts = [
        ("sample", f"{sample.file} [{sample.sheet}], {draft.period}"),
        ("rows", f"{outcome.rows_read:,} read, {outcome.rows_rejected:,} would be rejected"),
        ("folder", drafted.folder),
    ]
    _print_table("", facts)
    columns = [_column_row(column) for column in draft.columns]
    _print_table("columns", [("", "column", "kind", "cell", "example"), *columns])
    _print_table("headings read over", [(", ".join(draft.ignored),)] if draft.ignored else [])
    _print_table("not read", [(column.words,) for column in drafted.bronze.untitled])
    _print_table("steps", [(f"{at}", step.says) for at, step in enumerate(draft.domain.steps, 1)])
    _print_table("to decide (marked `# check:`)", [(remark,) for remark in draft.remarks])
    shown = [outcome.rejects.iloc[at] for at in range(min(_SHOWN_REJECTS, len(outcome.rejects)))]
    _print_table("would be rejected", [(describe(cell),) for cell in shown])
    files = drafted.files
    made = [("new", _shown(path)) for path in (files.declaration, files.migration, files.test)]
    _print_table("files", [*made, ("block", _shown(files.sources))])


def _column_row(draft: DraftColumn) -> tuple[str, ...]:
    blank = "may be blank" if draft.column.nullable else "never blank"
    example = draft.example if len(draft.example) <= _LONGEST_EXAMPLE else f"{draft.example[:_LONGEST_EXAMPLE]}…"
    return draft.letter, draft.name, kind_words(draft.column), blank, example if draft.letter else "(computed)"


def _shown(path: Path) -> str:
    """The path as people type it: from the current folder where it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _print_table(title: str, rows: Sequence[tuple[str, ...]]) -> None:
    if rows:
        print("\n".join([*(["", title] if title else []), *table_lines(rows, width=page_width())]))


def _next_steps(drafted: Drafted, *, source: str, asked: Mapping[str, str], executed: bool) -> None:
    name, period = drafted.draft.wish.name, drafted.draft.period.yyyymm
    if not executed:
        flags = [word for flag, value in asked.items() if value for word in (f"--{flag}", value)]
        print(f"\nnext: {shlex.join(['wdh', 'domain', 'new', name, '--from', source, *flags, '--execute'])}")
        return
    steps = [
        (f"edit {drafted.files.declaration.name}", "what is marked `# check:`, then the migration to match"),
        ("wdh db migrate", "the table"),
        ("wdh schema check", "declaration and table agree"),
        ("wdh schema docs", "the data dictionary learns the domain"),
        (f"wdh etl --domains {name} --period {period}", "the plan of a load"),
        (f"./wdh test tests/domain/test_{name}.py", "the example test"),
    ]
    _print_table("next", steps)
