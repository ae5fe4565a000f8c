"""Logs: where they go, what an entry holds, and that no secret is ever in one."""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import structlog
from pydantic import SecretStr

from work_data_hub.errors import ConfigError
from work_data_hub.log import REDACTED, DailyFile, configure_logging, get_logger, redact_text, sanitize_for_logging

pytestmark = pytest.mark.unit

CANARY = "canary-in-the-mine"


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """The settings that logging reads."""

    home: Path = Path("nowhere")
    log_level: str = "INFO"
    log_format: str = "json"
    log_to_file: bool = False
    log_file_dir: Path | None = None
    secrets: tuple[str, ...] = ()

    def secret_values(self) -> tuple[str, ...]:
        return self.secrets


@pytest.fixture(autouse=True)
def _root_logger_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def entries(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Reads the JSON entries on stderr; nothing may be on stdout."""

    def read() -> list[dict[str, Any]]:
        shown = capsys.readouterr()
        assert shown.out == ""
        return [json.loads(line) for line in shown.err.splitlines()]

    return read


Entries = Callable[[], list[dict[str, Any]]]


def test_an_entry_holds_time_level_logger_event_and_context(entries: Entries) -> None:
    configure_logging(Wanted())
    get_logger("work_data_hub.test").bind(domain="annuity_performance", execution_id="e1").info(
        "load.committed", rows=3
    )

    (entry,) = entries()
    assert datetime.fromisoformat(entry.pop("timestamp")).tzinfo is not None
    assert entry == {
        "level": "info",
        "logger": "work_data_hub.test",
        "event": "load.committed",
        "domain": "annuity_performance",
        "execution_id": "e1",
        "rows": 3,
    }


def test_context_variables_are_in_every_entry(entries: Entries) -> None:
    configure_logging(Wanted())
    structlog.contextvars.bind_contextvars(run_id="r1")
    get_logger("work_data_hub.test").info("page.written")

    assert entries()[0]["run_id"] == "r1"


def test_without_set_up_nothing_reaches_stdout(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    try:
        raise ConnectionError(f"postgresql://u:{CANARY}@h/d".lower())
    except ConnectionError:
        get_logger("work_data_hub.never_set_up").exception("early", password=CANARY)
    shown = capsys.readouterr()

    assert shown.out == ""
    assert "early" in shown.err
    assert CANARY not in shown.err


def test_pretty_entries_go_to_stderr_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Wanted(log_format="pretty"))
    get_logger("work_data_hub.test").info("load.committed", rows=3)
    shown = capsys.readouterr()

    assert shown.out == ""
    assert "load.committed" in shown.err
    assert "rows=3" in shown.err
    assert "\x1b" not in shown.err


@pytest.mark.parametrize(
    ("wanted", "level", "events"),
    [
        ("INFO", None, ["info", "warning"]),
        ("INFO", "WARNING", ["warning"]),
        ("ERROR", "DEBUG", ["debug", "info", "warning"]),
    ],
)
def test_the_callers_level_beats_the_settings(
    entries: Entries, wanted: str, level: str | None, events: list[str]
) -> None:
    configure_logging(Wanted(log_level=wanted), level=level)
    log = get_logger("work_data_hub.test")
    log.debug("debug")
    log.info("info")
    log.warning("warning")

    assert [entry["event"] for entry in entries()] == events


def test_set_up_again_does_not_double_the_entries(entries: Entries) -> None:
    configure_logging(Wanted())
    configure_logging(Wanted())
    get_logger("work_data_hub.test").info("once")

    assert len(entries()) == 1


def test_other_libraries_pass_from_warning_on_and_are_redacted(entries: Entries) -> None:
    configure_logging(Wanted(log_level="DEBUG"))
    logging.getLogger("alembic").info("chatter")
    logging.getLogger("alembic").warning("url %s", f"postgresql://u:{CANARY}@h/d")

    (entry,) = entries()
    assert (entry["logger"], entry["event"]) == ("alembic", f"url postgresql://u:{REDACTED}@h/d")


def test_an_entry_that_cannot_be_formed_is_not_shown_raw(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging.getLogger(), "handlers", [])
    configure_logging(Wanted())
    logging.getLogger("alembic").warning("%d rows", CANARY)

    assert capsys.readouterr().err == "an entry of alembic could not be logged\n"


@dataclass
class Holder:
    password: str


SECRETS: list[dict[str, Any]] = [
    {"password": CANARY},
    {"DB_PASSWORD": CANARY},
    {"api_key": CANARY, "apikey": CANARY, "API-KEY": CANARY},
    {"client_secret": CANARY, "access_token": CANARY},
    {"DATABASE_URL": CANARY, "database_url": CANARY},
    {"WDH_ALIAS_SALT": CANARY, "alias_salt": CANARY, "WDH_PROVIDER_EQC_TOKEN": CANARY},
    {"token": {"inner": CANARY}, "secrets": [CANARY]},
    {"config": {"deep": [{"more": ({"password": CANARY},)}]}},
    {"headers": [("Authorization", f"Bearer {CANARY}")]},
    {"items": {f"postgresql://u:{CANARY}@h/d"}},
    {f"postgresql://u:{CANARY}@h/d": 1},
    {"url": f"postgresql+psycopg2://u:{CANARY}@h:5432/d?sslmode=require"},
    {"url": f"postgresql://u:{CANARY}@x@h/d and redis://:{CANARY}@h"},
    {"url": f"https://h/path?access_token={CANARY}&page=2"},
    {"dsn": f"host=h user=u password={CANARY} dbname=d"},
    {"dsn": f"host=h password='it\\'s {CANARY}' dbname=d"},  # pragma: allowlist secret
    {"dsn": f"host=h PASSWORD = {CANARY},;&)tail"},
    {"message": f"PGPASSWORD={CANARY} psql"},
    {"message": f"DATABASE_URL={CANARY}; WDH_ALIAS_SALT={CANARY}"},
    {"message": json.dumps({"password": CANARY, "nested": json.dumps({"token": CANARY})})},
    {"message": repr({"password": CANARY})},
    {"message": f"Authorization: Bearer {CANARY}"},
    {"message": f"sent Bearer {CANARY}"},
    {"error": ValueError(f"password={CANARY}")},
    {"holder": Holder(password=CANARY)},
    {"setting": SecretStr(CANARY)},
    {"raw": f"password={CANARY}".encode()},
]


@pytest.mark.parametrize("facts", SECRETS, ids=str)
def test_no_secret_passes(facts: dict[str, Any], entries: Entries) -> None:
    configure_logging(Wanted())
    get_logger("work_data_hub.test").info("event", **{str(key): value for key, value in facts.items()})

    assert CANARY not in str(sanitize_for_logging(facts))
    assert CANARY not in str(entries())


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_no_secret_passes_in_event_context_or_traceback(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Wanted(log_format=log_format))
    log = get_logger("work_data_hub.test").bind(token=CANARY)
    local_value = CANARY
    try:
        raise ConnectionError(f"postgresql://u:{local_value}@h/d refused; password={local_value}")
    except ConnectionError:
        log.exception(f"connecting with password={local_value}")
        logging.getLogger("sqlalchemy").exception("failed")
    err = capsys.readouterr().err

    assert err.count("Traceback") == 2
    assert CANARY not in err


@pytest.mark.parametrize("log_format", ["json", "pretty"])
def test_the_secrets_of_the_settings_pass_nowhere(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Wanted(log_format=log_format, secrets=(CANARY, 'with"quote')))
    get_logger("work_data_hub.test").info("host.unknown", host=f"{CANARY}@db", other='with"quote')
    err = capsys.readouterr().err

    assert "host.unknown" in err
    assert CANARY not in err
    assert 'with"quote' not in err.replace("\\", "")


@pytest.mark.parametrize(
    "facts",
    [
        {"rows": 3, "share": 0.5, "done": True, "nothing": None, "table": "business.规模明细"},
        {"nested": {"list": [1, [2, {"a": "b"}]]}},
        {"url": "https://example.org:8443/a?b=c", "note": "12:30, ratio 1:2, a@b.example"},
        {"pair": ["left", "right"]},
    ],
)
def test_what_is_no_secret_stays_as_it_is(facts: dict[str, Any]) -> None:
    assert sanitize_for_logging(facts) == facts


def test_sanitizing_leaves_the_given_facts_alone() -> None:
    facts = {"nested": {"password": CANARY}}
    sanitize_for_logging(facts)

    assert facts == {"nested": {"password": CANARY}}


def test_values_become_what_json_can_hold() -> None:
    facts = {
        "n": np.int64(3),
        "x": float("nan"),
        "path": Path("a/b"),
        "sum": Decimal("0.10"),
        "day": datetime(2024, 1, 2),
    }

    assert sanitize_for_logging(facts) == {
        "n": 3,
        "x": "nan",
        "path": "a/b",
        "sum": "0.10",
        "day": "2024-01-02 00:00:00",
    }


def test_a_value_that_holds_itself_is_cut_off() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = endless

    assert "…" in str(sanitize_for_logging(endless))


def test_the_text_around_a_secret_stays() -> None:
    assert redact_text(f"host=h password={CANARY} dbname=d") == f"host=h password={REDACTED} dbname=d"
    assert redact_text(f"postgresql://u:{CANARY}@h:5432/d failed") == f"postgresql://u:{REDACTED}@h:5432/d failed"


def test_a_file_gets_the_same_entries_without_secrets(tmp_path: Path, entries: Entries) -> None:
    configure_logging(Wanted(log_to_file=True, log_file_dir=tmp_path / "logs"))
    get_logger("work_data_hub.test").info("公司.found", password=CANARY)

    (file,) = (tmp_path / "logs").iterdir()
    (entry,) = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    assert entry == entries()[0]
    assert (entry["event"], entry["password"]) == ("公司.found", REDACTED)


def test_without_a_folder_named_log_files_are_under_home(tmp_path: Path) -> None:
    configure_logging(Wanted(log_to_file=True, home=tmp_path))

    assert len(list((tmp_path / "logs").glob("work_data_hub-*.log"))) == 1


def test_each_day_has_its_file_and_thirty_stay(tmp_path: Path) -> None:
    days = [datetime(2024, 1 + day // 28, 1 + day % 28, tzinfo=UTC) for day in range(35)]
    now = iter(days)
    today = [days[0]]
    file = DailyFile(tmp_path, now=lambda: today[0])
    for today[0] in now:
        file.handle(logging.makeLogRecord({"msg": f"{today[0]:%d}", "levelno": logging.INFO}))

    names = sorted(path.name for path in tmp_path.iterdir())
    assert len(names) == 30
    assert (names[0], names[-1]) == ("work_data_hub-20240106.log", "work_data_hub-20240207.log")
    assert (tmp_path / names[-1]).read_text(encoding="utf-8") == "07\n"


def test_a_log_folder_that_cannot_be_made_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="LOG_FILE_DIR"):
        configure_logging(Wanted(log_to_file=True, log_file_dir=tmp_path / "file" / "logs"))


def test_a_log_file_that_vanishes_does_not_stop_the_caller(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "logs"
    configure_logging(Wanted(log_to_file=True, log_file_dir=folder))
    next(folder.iterdir()).unlink()
    folder.rmdir()
    get_logger("work_data_hub.test").info("still.running")

    assert "still.running" in capsys.readouterr().err
