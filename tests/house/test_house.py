"""The house rules that no linter keeps: size, names, handlers, generated pages, declarations and schema."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hub import PROJECT, Hub

from work_data_hub.cli.documents import documents
from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.spec import Domain
from work_data_hub.domain.tables import create_table_text
from work_data_hub.io.config_files import load_mappings, load_sources
from work_data_hub.io.postgres import Connection
from work_data_hub.io.queries import query
from work_data_hub.io.schema_drift import drift

SOURCE = PROJECT / "src" / "work_data_hub"
PAGES = sorted(SOURCE.rglob("*.py"))
SAYS_NOTHING = {"utils", "helpers", "common", "shared", "misc", "base", "manager", "service", "core"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for page in PAGES:
        yield str(page.relative_to(SOURCE)), ast.parse(page.read_text(encoding="utf-8"))


@pytest.mark.unit
def test_functions_fit_on_a_screen_and_files_in_a_head() -> None:
    long_functions = [
        f"{name}:{node.lineno} {node.name}"
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.body[0].lineno >= 60
    ]
    long_files = [page.name for page in PAGES if len(page.read_text(encoding="utf-8").splitlines()) > 400]

    # The one list of flags is as long as there are flags.
    assert [name for name in long_functions if not name.startswith("cli/etl.py")] == []
    assert long_files == []


@pytest.mark.unit
def test_broad_handlers_stand_only_at_the_two_outer_boundaries() -> None:
    broad = [
        name
        for name, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or (isinstance(node.type, ast.Name) and node.type.id == "Exception"))
    ]

    assert broad == ["cli/app.py", "cli/etl_run.py"]


@pytest.mark.unit
def test_imports_stand_at_the_top_and_names_say_something() -> None:
    hidden = [
        f"{name}:{node.lineno}"
        for name, tree in trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    vague = [page.name for page in PAGES if page.stem in SAYS_NOTHING and page.parent.name != "pipelines"]

    assert hidden == []
    assert vague == []


@pytest.mark.unit
def test_no_code_is_evaluated_and_no_rule_is_waived() -> None:
    text = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)

    assert re.findall(r"\beval\(|\bpickle\b|yaml\.load\(|\bexec\(|# noqa|type: ignore", text) == []


@pytest.mark.unit
@pytest.mark.parametrize("name", documents())
def test_generated_pages_are_current(name: str) -> None:
    assert (PROJECT / "docs" / name).read_text(encoding="utf-8") == documents()[name], "run: wdh schema docs"


@pytest.mark.unit
@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_every_domain_has_a_source_and_its_mappings(domain: Domain) -> None:
    assert domain.name in load_sources(PROJECT / "config")
    assert {"branches", "product_lines", "plan_corrections"} <= set(load_mappings(PROJECT / "config"))


@pytest.mark.integration
@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_declarations_are_the_migrated_tables(domain: Domain, warehouse: Connection) -> None:
    assert drift(warehouse, domain) == []


@pytest.mark.integration
@pytest.mark.parametrize("domain", DOMAINS.values(), ids=DOMAINS)
def test_the_printed_table_is_the_migrated_one(domain: Domain, warehouse: Connection) -> None:
    schema, table = domain.schema_and_table
    with warehouse.cursor() as cursor:
        cursor.execute(query("schema", "table_columns"), {"schema": schema, "table": table})
        migrated = set(cursor.fetchall())
        printed = create_table_text(domain).replace(f'"{schema}".', '"printed".')
        cursor.execute(f"create schema printed; {printed}")
        cursor.execute(query("schema", "table_columns"), {"schema": "printed", "table": table})
        assert set(cursor.fetchall()) == migrated
    warehouse.rollback()


@pytest.mark.integration
def test_a_changed_table_is_told(warehouse: Connection) -> None:
    domain = DOMAINS["annuity_performance"]
    with warehouse.cursor() as cursor:
        cursor.execute("alter table business.规模明细 drop column 供款, add column 新列 text")
        cursor.execute("alter table business.规模明细 alter column 计划名称 type text")
    warehouse.commit()

    assert drift(warehouse, domain) == [
        "business.规模明细 lacks 供款",
        "business.规模明细 has 新列, which is not declared",
        "business.规模明细.计划名称 is text, declared character varying(255)",
    ]


@pytest.mark.unit
@pytest.mark.parametrize(
    "arguments", [["--help"], ["etl", "--help"], ["db", "--help"], ["customer-mdm", "--help"], ["pipelines", "--help"]]
)
def test_help_loads_nothing_heavy(arguments: list[str]) -> None:
    assert _loaded(arguments, Path.cwd()) == []


@pytest.mark.integration
def test_a_plan_loads_neither_dagster_nor_a_driver(hub: Hub) -> None:
    hub.sample(rows=200)
    environment = hub.environment(DATABASE_URL="")
    arguments = ["etl", "--domains", "annuity_performance", "--period", "202410", "--quiet"]

    heavy = _loaded(arguments, hub.home, environment)

    assert set(heavy) & {"dagster", "psycopg2", "sqlalchemy", "alembic", "pandera"} == set()


def _loaded(arguments: list[str], folder: Path, environment: dict[str, str] | None = None) -> list[str]:
    program = (
        "import sys; from work_data_hub.cli.app import run; code = run(sys.argv[1:]);"
        "heavy = ('pandas', 'dagster', 'rich', 'psycopg2', 'sqlalchemy', 'alembic', 'pandera');"
        "print('loaded', code, *[name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    _, code, *heavy = done.stdout.splitlines()[-1].split()
    assert code == "0", done.stderr
    return heavy


@pytest.mark.unit
def test_the_lock_names_one_index_and_one_host_of_files() -> None:
    lock = (PROJECT / "uv.lock").read_text(encoding="utf-8")
    indexes = set(re.findall(r'registry = "https://([^/"]+)/simple"', lock))
    hosts = set(re.findall(r"[a-z]+://([^/\"]+)", lock))

    assert len(indexes) == 1
    assert len(hosts - indexes) == 1
    assert not [host for host in hosts if re.search(r"[:@\d]|local", host)]


@pytest.mark.unit
def test_no_two_test_files_share_a_name() -> None:
    names = [path.name for path in (PROJECT / "tests").rglob("test_*.py")]

    assert sorted(names) == sorted(set(names))
