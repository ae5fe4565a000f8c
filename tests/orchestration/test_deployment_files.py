"""What lies under `deploy/` is what the program writes, understands and can be restored from."""

import configparser
import os
import re
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import typer
import yaml
from dagster import DagsterInstance, DagsterInvalidConfigError
from dagster._core.instance.ref import InstanceRef  # what a launcher hands to a run that it starts elsewhere
from psycopg2 import errors, sql
from pydantic import SecretStr
from tests.batch_roles import logins_of
from tests.hub import DOMAIN, PROJECT, Hub

from work_data_hub.cli import dagster_parts_run, dagster_run
from work_data_hub.cli.app import app
from work_data_hub.domain.gates import FOLLOW_UPS, GATES
from work_data_hub.errors import UsageError
from work_data_hub.io.postgres import Connection, connect
from work_data_hub.io.roles import ROLES
from work_data_hub.io.server_programs import find_programs, find_psql
from work_data_hub.orchestration.customer_checks import JUDGED
from work_data_hub.orchestration.dagster_instance import (
    DEFINITIONS,
    STORAGE_VARIABLE,
    dagster_environment,
    dagster_home,
)
from work_data_hub.orchestration.dagster_parts import Part, part_command, workspace_page
from work_data_hub.orchestration.definitions import defs
from work_data_hub.settings import Settings, get_client_settings, get_settings

DEPLOY = PROJECT / "deploy"
GROWTH = (PROJECT / "docs" / "growth.md").read_text(encoding="utf-8")
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
ROOT = "/opt/work-data-hub/.venv/bin/wdh"
PASSWORD = "pw-of-this-test"  # pragma: allowlist secret
VARIABLES = {str(field.validation_alias) for field in Settings.model_fields.values()}
OF_ROLES = {f"WDH_ROLE_PASSWORD_{role.upper()}" for role in ROLES}
OF_POSTGRES = {"POSTGRES_PASSWORD", "PGHOST", "PGUSER", "PGPASSWORD", "WDH_DAGSTER_DB_PASSWORD"}
# These know neither the warehouse nor its salt.
WITHOUT_WAREHOUSE = ("dagster webserver", "dagster daemon")
HAS_DUMP = (find_programs() / "pg_dump").is_file()


def unit(path: Path) -> configparser.SectionProxy:
    """The unit's service; what stands twice is joined with spaces."""
    joined: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        name, is_setting, value = line.partition("=")
        if is_setting and not line.startswith("#"):
            joined[name] = f"{joined[name]} {value}" if name in joined else value
    page = configparser.ConfigParser(interpolation=None)
    page.read_dict({"Service": joined})
    return page["Service"]


def asked(words: list[str]) -> str:
    """The command that the words call, proved to be understood with all its options."""
    command: Any = typer.main.get_command(app)
    names: list[str] = []
    while hasattr(command, "commands"):
        names.append(words[len(names)])
        command = command.commands[names[-1]]
    command.make_context(names[-1], words[len(names) :])
    return " ".join(names)


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yml").read_text(encoding="utf-8"))
    return document


def variables(path: Path) -> dict[str, str]:
    """What an environment file sets, and what it offers in comments."""
    lines = re.findall(r"^#?([A-Z][A-Z0-9_]*)=(.*)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return dict(lines)


def set_variables(path: Path) -> dict[str, str]:
    offered = path.read_text(encoding="utf-8")
    return {name: value for name, value in variables(path).items() if re.search(f"^{name}=", offered, re.MULTILINE)}


@pytest.fixture
def own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[pytest.MonkeyPatch]:
    """An environment that a test may fill as a unit would; no `.env` in reach."""
    monkeypatch.chdir(tmp_path)
    yield monkeypatch
    get_settings.cache_clear()


def as_started(environment: Mapping[str, str], monkeypatch: pytest.MonkeyPatch, *, words: str) -> Settings:
    """The settings of the command, started with nothing but this environment."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, re.sub(r"<[^>]*>", "filled-in", value))
    get_settings.cache_clear()
    return get_client_settings() if words in WITHOUT_WAREHOUSE else get_settings()


@pytest.mark.unit
def test_the_page_of_production_is_the_one_that_is_written(tmp_path: Path) -> None:
    url = SecretStr("postgresql://dagster@localhost/dagster")
    settings = get_settings().model_copy(update={"home": tmp_path, "dagster_home": None, "dagster_pg_url": url})

    written = dagster_home(settings) / "dagster.yaml"

    assert (DEPLOY / "dagster.yaml").read_bytes() == written.read_bytes()


@pytest.mark.unit
@pytest.mark.parametrize("path", UNITS, ids=[path.stem for path in UNITS])
def test_a_unit_calls_a_command_with_all_that_it_needs(path: Path, own_environment: pytest.MonkeyPatch) -> None:
    service = unit(path)
    program, *words = shlex.split(service["ExecStart"])
    files = [DEPLOY / "env" / Path(place).name for place in service["EnvironmentFile"].split()]
    environment = {name: value for file in files for name, value in set_variables(file).items()}

    command = asked(words)
    settings = as_started(environment, own_environment, words=command)

    assert program == ROOT
    assert settings.environment == "prod"
    assert (settings.database_url is None) is (command in WITHOUT_WAREHOUSE)
    assert (settings.dagster_pg_url is not None) is command.startswith("dagster")
    assert str(settings.home) in service["ReadWritePaths"].split()


@pytest.mark.unit
def test_dagsters_folder_is_told_to_who_knows_no_warehouse(
    own_environment: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [DEPLOY / "env" / name for name in ("wdh.env", "dagster.env")]
    environment = {name: value for file in files for name, value in set_variables(file).items()}
    here = {"DAGSTER_HOME": str(tmp_path / "dagster"), "WDH_HOME": str(tmp_path)}
    as_started(environment | here, own_environment, words="dagster webserver")

    dagster_run.print_home()

    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "dagster")]


@pytest.mark.unit
def test_the_units_are_all_that_a_site_runs() -> None:
    assert [asked(shlex.split(unit(path)["ExecStart"])[1:]) for path in UNITS] == [
        "dagster code-server",
        "dagster daemon",
        "dagster webserver",
        "pipelines runner",
        "pipelines serve",
    ]


@pytest.mark.unit
@pytest.mark.parametrize("path", sorted((DEPLOY / "env").iterdir()), ids=lambda path: path.name)
def test_every_variable_of_an_environment_file_is_a_setting(path: Path) -> None:
    assert variables(path)
    assert set(variables(path)) - VARIABLES == set()


@pytest.mark.unit
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for path in UNITS:
        text = path.read_text(encoding="utf-8").replace(ROOT, "/bin/true")
        (tmp_path / path.name).write_text(text, encoding="utf-8")

    command = ["systemd-analyze", "verify", "--man=no", *map(str, sorted(tmp_path.glob("*.service")))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.unit
def test_every_service_calls_a_command_with_settings_that_exist(own_environment: pytest.MonkeyPatch) -> None:
    needed, wanted = re.compile(r"\$\{[A-Z_]+:\?\}"), re.compile(r"\$\{[A-Z_]+:-\}")
    commands = {}
    for name, service in compose()["services"].items():
        environment = service["environment"]
        assert set(environment) - VARIABLES - OF_ROLES - OF_POSTGRES == set(), name
        if service["image"] == "work-data-hub":
            program, *words = service["command"]
            assert program == "wdh"
            commands[name] = asked(words)
            known = {key: value for key, value in environment.items() if key in VARIABLES}
            # As compose fills them in where a site gives what it must, and nothing else.
            filled_in = {key: needed.sub("filled-in", wanted.sub("", value)) for key, value in known.items()}
            as_started(filled_in, own_environment, words=commands[name])

    assert commands == {
        "migrate": "db migrate",
        "roles": "db roles",
        "code": "dagster code-server",
        "daemon": "dagster daemon",
        "webserver": "dagster webserver",
        "api": "pipelines serve",
        "runner": "pipelines runner",
    }


@pytest.mark.unit
def test_services_log_in_as_the_role_that_they_need_and_no_other() -> None:
    roles = {
        name: re.findall(r"postgresql://(\w+):", " ".join(map(str, service["environment"].values())))
        for name, service in compose()["services"].items()
    }

    assert roles == {
        "postgres": [],
        "migrate": ["postgres"],
        "roles": ["postgres"],
        "gates": [],
        "code": ["dagster", "wdh_app"],
        "daemon": ["dagster"],
        "webserver": ["dagster"],
        "api": ["etl_reader", "etl_api"],
        "runner": ["etl_reader", "etl_writer"],
    }


@pytest.mark.unit
def test_what_the_services_mount_is_there() -> None:
    mounted = [place for service in compose()["services"].values() for place in service.get("volumes", [])]
    files = [place.split(":")[0] for place in mounted if place.startswith("./")]

    assert files
    assert [file for file in files if not (DEPLOY / file).is_file()] == []
    assert os.access(DEPLOY / "postgres" / "10-databases.sh", os.X_OK)


@pytest.mark.unit
def test_every_alert_has_a_line_that_says_what_to_do() -> None:
    page = (PROJECT / "docs" / "operations.md").read_text(encoding="utf-8")
    sensors = [sensor.name for sensor in defs.sensors or ()]

    assert [name for name in (*GATES, FOLLOW_UPS, *JUDGED, *sensors) if f"`{name}`" not in page] == []


@pytest.mark.unit
def test_the_location_has_one_name_wherever_its_code_is_served() -> None:
    pages = [yaml.safe_load(workspace_page(code)) for code in ("127.0.0.1:4266", "code:4266", "[::1]:1")]
    servers = [page["load_from"][0]["grpc_server"] for page in pages]
    command = part_command(Part.CODE, host="h", port=1, workspace=Path("w"))

    assert {server["location_name"] for server in servers} == {command[command.index("--location-name") + 1]}
    assert [(server["host"], server["port"]) for server in servers] == [("127.0.0.1", 4266), ("code", 4266), ("::1", 1)]
    with pytest.raises(UsageError, match="is no place"):
        workspace_page("code")


@pytest.mark.unit
def test_parts_in_one_folder_do_not_write_over_each_others_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WDH_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_HOME", "")
    started: list[list[str]] = []
    monkeypatch.setattr(os, "execve", lambda program, command, environment: started.append(command))
    get_settings.cache_clear()

    dagster_parts_run.become_daemon(code="code:4266")
    written = (tmp_path / "dagster" / "workspace.yaml").read_bytes()
    dagster_parts_run.become_code_server(host="0.0.0.0", port=4266)  # as the compose file has it
    get_settings.cache_clear()

    assert len(started) == 2
    assert written == workspace_page("code:4266").encode()
    assert (tmp_path / "dagster" / "workspace.yaml").read_bytes() == written


@pytest.fixture
def other_databases(warehouse: Connection, hub: Hub) -> Iterator[dict[str, str]]:
    """Three more databases on the server, by their use: Dagster's, and the two that backups go into."""
    warehouse.rollback()
    warehouse.autocommit = True
    names = {"dagster": "wdh_test_dagster", "warehouse again": "wdh_test_again", "dagster again": "wdh_test_dagster_2"}
    with warehouse.cursor() as cursor:
        for name in names.values():
            cursor.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    # Roles that were granted something there can only be dropped after them.
    with logins_of(warehouse, hub.url):
        warehouse.autocommit = True
        yield {use: f"{hub.url.rsplit('/', 1)[0]}/{name}" for use, name in names.items()}
        warehouse.autocommit = True
        with warehouse.cursor() as cursor:
            for name in names.values():
                cursor.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))
        warehouse.autocommit = False


@pytest.mark.integration
def test_the_page_opens_an_instance_over_postgresql(
    other_databases: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = SecretStr(other_databases["dagster"])
    settings = get_settings().model_copy(
        update={"home": tmp_path / "x", "dagster_home": tmp_path, "dagster_pg_url": url}
    )
    (tmp_path / "dagster.yaml").write_bytes((DEPLOY / "dagster.yaml").read_bytes())
    monkeypatch.setenv(STORAGE_VARIABLE, dagster_environment(settings)[STORAGE_VARIABLE])

    with DagsterInstance.from_config(str(tmp_path)) as instance:
        kinds = {type(one).__name__ for one in (instance.run_storage, instance.event_log_storage)}
        assert kinds == {"PostgresRunStorage", "PostgresEventLogStorage"}
        assert instance.get_runs() == []
        assert not instance.telemetry_enabled
        assert instance.get_settings("retention")["schedule"]["purge_after_days"] == 90
        assert instance.run_monitoring_enabled
    assert not list(tmp_path.rglob("*.db"))


def growth_pages() -> list[dict[str, Any]]:
    """The pages of settings that growth.md shows."""
    return [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", GROWTH, re.DOTALL)]


@pytest.mark.unit
def test_growth_names_variables_that_somebody_reads() -> None:
    named = set(re.findall(r"\bWDH_[A-Z_]+\b", GROWTH))
    of_celery = set(re.findall(r"\{env: (\w+)\}", GROWTH))

    assert {"WDH_DASK_SCHEDULER", STORAGE_VARIABLE} <= named
    assert named - VARIABLES - of_celery == {STORAGE_VARIABLE}


@pytest.mark.unit
def test_pods_get_the_history_the_workbooks_and_a_place_for_rejects() -> None:
    launchers = [page["run_launcher"]["config"] for page in growth_pages() if "run_launcher" in page]
    (pods,) = [config for config in launchers if "job_image" in config]
    (chart,) = [page for page in growth_pages() if "runLauncher" in page]
    (served,) = chart["dagsterWebserver"]["workspace"]["servers"]
    (code,) = chart["dagster-user-deployments"]["deployments"]
    by_hand = dict(pair.split("=") for pair in pods["env_vars"])
    by_chart = {one["name"]: one["value"] for one in code["env"]}

    assert (served["name"], served["host"], served["port"]) == (DEFINITIONS, code["name"], code["port"])
    assert by_hand == by_chart
    assert set(by_hand) <= VARIABLES
    for volumes, mounts in ((pods["volumes"], pods["volume_mounts"]), (code["volumes"], code["volumeMounts"])):
        assert [one["name"] for one in volumes] == [one["name"] for one in mounts]
        writable = {one["mountPath"]: not one.get("readOnly", False) for one in mounts}
        assert writable == {by_hand["WDH_DATA_ROOT"]: False, f"{by_hand['WDH_HOME']}/rejects": True}


@pytest.mark.integration
def test_who_is_started_by_dagster_alone_finds_the_history_by_the_variable_of_the_page(
    other_databases: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "dagster.yaml").write_bytes((DEPLOY / "dagster.yaml").read_bytes())
    url = other_databases["dagster"]
    (scheme,) = re.findall(rf"^{STORAGE_VARIABLE}=(\S+)://", GROWTH, re.MULTILINE)
    monkeypatch.setenv("WDH_DAGSTER_PG_URL", url)
    monkeypatch.delenv(STORAGE_VARIABLE, raising=False)

    with pytest.raises(DagsterInvalidConfigError, match=STORAGE_VARIABLE):
        DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path))).get_runs()
    monkeypatch.delenv("WDH_DAGSTER_PG_URL")
    monkeypatch.setenv(STORAGE_VARIABLE, f"{scheme}://{url.partition('://')[2]}")
    with DagsterInstance.from_ref(InstanceRef.from_dir(str(tmp_path))) as instance:
        assert instance.get_runs() == []


def program(name: str, *arguments: str, **environment: str) -> str:
    """What a program of PostgreSQL prints; it must end well."""
    folder = find_psql() if name == "psql" else find_programs() / name
    done = subprocess.run(
        [str(folder), *arguments], env=os.environ | environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def copied(origin: str, target: str) -> None:
    """Back a database up and restore it elsewhere, as the page on deployment says."""
    with tempfile.TemporaryDirectory() as folder:
        dump = f"{folder}/it.dump"
        program("pg_dump", "--format=custom", "--file", dump, origin)
        program("pg_restore", "--exit-on-error", "--single-transaction", "--dbname", target, dump)


@pytest.mark.integration
@pytest.mark.skipif(not HAS_DUMP, reason="pg_dump is not here")
def test_what_was_backed_up_is_there_again(hub: Hub, other_databases: dict[str, str]) -> None:
    hub.sample()
    assert hub.process(*_EXECUTE, WDH_DAGSTER_PG_URL=other_databases["dagster"]).code == 0

    copied(hub.url, other_databases["warehouse again"])
    copied(other_databases["dagster"], other_databases["dagster again"])
    roles = program("pg_dumpall", "--roles-only", "--dbname", hub.url)

    again = replace(hub, url=other_databases["warehouse again"], extra={"DAGSTER_HOME": str(hub.home / "again")})
    history = replace(hub, url=other_databases["dagster again"])
    assert again.contents() == hub.contents()
    assert again.query("select has_table_privilege('wdh_app', 'business.规模明细', 'insert')") == [(True,)]
    assert {f"CREATE ROLE {role};" for role in ROLES} <= set(roles.splitlines())
    assert again.process(*_EXECUTE, "--report", "json").domain["status"] == "unchanged"
    assert history.query("select pipeline_name, status from runs") == [(f"{DOMAIN}_job", "SUCCESS")]


_EXECUTE = ["etl", "--domains", DOMAIN, "--period", "202410", "--execute"]


@pytest.mark.integration
@pytest.mark.skipif(find_psql() is None, reason="psql is not here")
def test_dagsters_role_has_its_own_database_and_no_way_into_the_warehouse(
    hub: Hub, warehouse: Connection, warehouse_url: str
) -> None:
    server, _, name = hub.url.rpartition("/")
    given = ["-X", "-v", "ON_ERROR_STOP=1", "-v", f"warehouse={name}", "-v", "role=wdh_test_d", "-v", "database=wdh_d"]
    script = [*given, "-f", str(DEPLOY / "postgres" / "dagster.sql"), f"{server}/postgres"]
    place = psycopg2.extensions.parse_dsn(hub.url)
    own = f"postgresql://wdh_test_d:{PASSWORD}@{place['host']}:{place['port']}"
    with logins_of(warehouse, warehouse_url) as logins:
        warehouse.rollback()
        warehouse.autocommit = True
        try:
            for _ in range(2):
                program("psql", *script, WDH_DAGSTER_DB_PASSWORD=PASSWORD)
            with closing(psycopg2.connect(f"{own}/wdh_d")) as connection, connection.cursor() as cursor:
                cursor.execute("create table mine (id int)")
            with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
                psycopg2.connect(f"{own}/{name}")
            for role in ROLES:
                logins.enter(role).close()
            # Even inside, nothing is his.
            with warehouse.cursor() as cursor:
                cursor.execute("set role wdh_test_d")
                with pytest.raises(errors.InsufficientPrivilege):
                    cursor.execute("select from business.规模明细")
                cursor.execute("reset role")
        finally:
            with warehouse.cursor() as cursor:
                cursor.execute("drop database if exists wdh_d with (force)")
                cursor.execute("drop role if exists wdh_test_d")
                cursor.execute(sql.SQL("grant connect on database {} to public").format(sql.Identifier(name)))
            warehouse.autocommit = False


@pytest.mark.integration
def test_reports_read_their_views_and_nothing_else(warehouse: Connection, warehouse_url: str) -> None:
    with (
        logins_of(warehouse, warehouse_url) as logins,
        closing(connect(logins.url_of("bi_reader"), application_name="wdh test")) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select count(*) from bi.fct_customer_monthly_summary")
        assert cursor.fetchone() == (0,)
        for refused in ("select from business.规模明细", "delete from bi.dim_customer", "select from ledger.loads"):
            with pytest.raises(errors.InsufficientPrivilege):
                cursor.execute(refused)
            connection.rollback()
