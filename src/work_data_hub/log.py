"""Structured logs, to stderr always and to a daily file on request; never to stdout, never with a secret."""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from math import isfinite
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Protocol, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from work_data_hub.errors import ConfigError

REDACTED = "[REDACTED]"
KEPT_FILES = 30

_INTERNAL, _FIRST = ("_record", "_from_structlog"), ("timestamp", "level", "logger", "event")
_DEEPEST = 12
_UNWRITABLE = (OSError, ValueError, TypeError, LookupError)  # no disk, closed stream, wrong % arguments
_SHORTEST_SECRET = 8  # a shorter one would be blotted out of ordinary words
_SECRET_WORD = (
    r"password|passwd|passphrase|pwd|token|api[_-]?key|secret|credential|private[_-]?key|authorization|cookie"
)
_SECRET_KEY = re.compile(rf"(?i){_SECRET_WORD}|DATABASE_URL|salt$|WDH_.*_SALT|WDH_PROVIDER_.*_TOKEN")
# scheme://user:…@ up to the last @, for a password may hold one.
_URL_PASSWORD = re.compile(r"(://[^\s:/@]{0,200}:)\S{1,5000}@")
_QUOTED = r"'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\""
_PAIR = re.compile(
    rf"(?i)\b([\w.-]{{0,60}}(?:{_SECRET_WORD}|DATABASE_URL|salt)[\w-]{{0,60}}\\?[\"']?\s*(?:=|:(?!//)|=>)\s*)"
    rf"(?:{_QUOTED}|(?:(?:bearer|basic)\s+)?\S+)"
)
_BEARER = re.compile(r"(?i)\b(bearer\s+)[\w.~+/=-]{8,}")


class LogSettings(Protocol):
    """What logging needs to know; `Settings` gives it."""

    @property
    def home(self) -> Path: ...
    @property
    def log_level(self) -> str: ...
    @property
    def log_format(self) -> str: ...
    @property
    def log_to_file(self) -> bool: ...
    @property
    def log_file_dir(self) -> Path | None: ...
    def secret_values(self) -> tuple[str, ...]: ...


def configure_logging(settings: LogSettings, *, level: str | None = None) -> None:
    """Send logs where the settings say; `level` overrides theirs. Calling it again replaces what was set up.

    Other libraries' logs pass from WARNING on, through the same redaction.
    """
    root = logging.getLogger()
    for before in [handler for handler in root.handlers if isinstance(handler, _Lines)]:
        root.removeHandler(before)
        before.close()
    handlers: list[logging.Handler] = [_Stderr()]
    if settings.log_to_file:
        handlers.append(_daily_file(settings.log_file_dir or settings.home / "logs"))
    for handler in handlers:
        colours = isinstance(handler, _Stderr) and sys.stderr.isatty()
        handler.setFormatter(_formatter(settings, colours=colours))
        handler.addFilter(_ours_or_serious)
        root.addHandler(handler)
    root.setLevel(level or settings.log_level)


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """A logger that takes `log.info("load.committed", rows=3)` and `.bind(domain=…)`.

    It writes nothing to stdout, whether or not logging is configured.
    """
    chain: list[Processor] = [structlog.stdlib.filter_by_level, structlog.contextvars.merge_contextvars, *_CHAIN]
    logger = structlog.wrap_logger(
        logging.getLogger(name),
        processors=[*chain, _wrap],
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return cast(structlog.stdlib.BoundLogger, logger)


def sanitize_for_logging(facts: Mapping[str, Any]) -> dict[str, Any]:
    """A copy with every secret replaced, however deep, and with values that JSON can hold."""
    return {redact_text(str(key)): _clean_pair(key, value, 0) for key, value in facts.items()}


def redact_text(text: str) -> str:
    """The text without the passwords of URLs, `password=…` and `token: …` pairs, and bearer tokens."""
    text = _URL_PASSWORD.sub(rf"\1{REDACTED}@", text)
    return _BEARER.sub(rf"\1{REDACTED}", _PAIR.sub(rf"\1{REDACTED}", text))


def _daily_file(folder: Path) -> "DailyFile":
    try:
        return DailyFile(folder)
    except OSError as error:
        raise ConfigError(
            f"the log file cannot be written: {error.strerror}",
            file=str(folder),
            field="LOG_FILE_DIR",
            hint="name a folder that can be written, or set LOG_TO_FILE=false",
        ) from error


class _Lines(logging.Handler):
    """Writes one entry a line; an entry that cannot be written is said to be lost, and never shown raw."""

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(*_UNWRITABLE):
            self._write(self.format(record) + "\n")
            return
        with suppress(*_UNWRITABLE):
            print(f"an entry of {record.name} could not be logged", file=sys.stderr)

    def _write(self, line: str) -> None:
        raise NotImplementedError


class _Stderr(_Lines):
    """Writes to what sys.stderr is at that moment, not to what it was at set-up."""

    def _write(self, line: str) -> None:
        sys.stderr.write(line)
        sys.stderr.flush()


class DailyFile(_Lines):
    """A file a day (UTC), `work_data_hub-20241031.log`; the newest 30 stay.

    Each day has its own name, and an entry is one append: processes that log at the same time
    neither rename nor interleave each other's entries.
    """

    def __init__(self, folder: Path, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        super().__init__()
        self._folder, self._now = folder, now
        folder.mkdir(parents=True, exist_ok=True)
        self._write("")

    def _write(self, line: str) -> None:
        path = self._folder / f"work_data_hub-{self._now():%Y%m%d}.log"
        is_new = not path.exists()
        with path.open("a", encoding="utf-8", errors="backslashreplace") as file:
            file.write(line)
        if is_new:
            self._prune()

    def _prune(self) -> None:
        for old in sorted(self._folder.glob("work_data_hub-????????.log"))[:-KEPT_FILES]:
            old.unlink(missing_ok=True)


def _formatter(settings: LogSettings, *, colours: bool) -> logging.Formatter:
    render: Processor = structlog.processors.JSONRenderer(serializer=partial(json.dumps, ensure_ascii=False))
    if settings.log_format == "pretty":
        plain = structlog.dev.plain_traceback  # rich ones show local variables, and in them secrets
        render = structlog.dev.ConsoleRenderer(colors=colours, exception_formatter=plain)
    secrets = [text for text in settings.secret_values() if len(text) >= _SHORTEST_SECRET]
    without_meta = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_CHAIN, processors=[without_meta, render, partial(_blot, secrets)]
    )


def _ours_or_serious(record: logging.LogRecord) -> bool:
    return isinstance(record.msg, dict) or record.levelno >= logging.WARNING


def _blot(secrets: list[str], _: WrappedLogger, __: str, line: Any) -> str:
    """The rendered line without the very secrets of the settings, wherever they come from."""
    text = str(line)
    for secret in secrets:
        text = text.replace(secret, REDACTED).replace(json.dumps(secret, ensure_ascii=False)[1:-1], REDACTED)
    return text


def _wrap(logger: WrappedLogger, method: str, event_dict: EventDict) -> Any:
    args, options = structlog.stdlib.ProcessorFormatter.wrap_for_formatter(logger, method, event_dict)
    # The traceback is in the event, redacted; no handler of others shall print it raw beside it.
    return args, {**options, "exc_info": None}


def _redact_event(_: WrappedLogger, __: str, event_dict: EventDict) -> EventDict:
    internal = {key: event_dict.pop(key) for key in _INTERNAL if key in event_dict}
    first = {key: event_dict.pop(key) for key in _FIRST if key in event_dict}
    return {**sanitize_for_logging({**first, **event_dict}), **internal}


def _clean_pair(key: object, value: Any, depth: int) -> Any:
    return REDACTED if _SECRET_KEY.search(str(key)) else _clean(value, depth)


def _clean(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, Integral | Real):
        return int(value) if isinstance(value, Integral) else _finite(float(value))
    if depth >= _DEEPEST:
        return "…"
    if isinstance(value, Mapping):
        return {redact_text(str(key)): _clean_pair(key, inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return _clean_items(list(value), depth + 1)
    return redact_text(str(value))


def _finite(number: float) -> float | str:
    return number if isfinite(number) else str(number)


def _clean_items(items: list[Any], depth: int) -> list[Any]:
    if len(items) == 2 and isinstance(items[0], str) and _SECRET_KEY.search(items[0]):
        return [items[0], REDACTED]  # a pair of name and value, as HTTP headers are
    return [_clean(item, depth) for item in items]


# The event and its facts; the traceback is text before it is redacted.
_CHAIN: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
    _redact_event,
]
