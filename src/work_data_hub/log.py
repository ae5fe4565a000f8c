"""Structured logs on stderr, and in a file when asked; secrets never reach either."""

import logging
import re
import sys
from collections.abc import Mapping, MutableMapping
from logging.handlers import TimedRotatingFileHandler
from typing import Any

import structlog

from work_data_hub.settings import Settings

REDACTED = "[REDACTED]"
KEPT_DAYS = 30

_SECRET_KEY = re.compile(
    r"(?i)password|passwd|token|api[_-]?key|secret|database_url|authorization|^wdh_.*_salt$|^wdh_provider_.*_token$|_salt$|dsn"
)
_SECRETS_IN_TEXT = (
    (re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):([^\s@]+)@"), rf"\1:{REDACTED}@"),
    (re.compile(r"(?i)\b(password|passwd|token|api[_-]?key|secret|\w*_salt)(\s*[=:]\s*)('[^']*'|\"[^\"]*\"|[^\s,;&]+)"), rf"\1\2{REDACTED}"),
    (re.compile(r"(?i)\b(bearer)\s+[\w.~+/=-]+"), rf"\1 {REDACTED}"),
)


def get_logger(name: str) -> Any:
    """A structured logger; `.bind(domain=…, execution_id=…)` gives one that says so in every entry."""
    return structlog.stdlib.get_logger(name)


def configure_logging(settings: Settings, *, level: str | None = None) -> None:
    """Send events to stderr as JSON or readable text, at `level` or the settings' own; never to stdout.

    With LOG_TO_FILE they also go to `workdatahub.log`, rotated at midnight, 30 days kept.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setLevel(level or settings.log_level)
    if settings.log_to_file:
        handlers.append(_file_handler(settings))
    renderer = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if settings.log_format == "pretty"
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*_SHARED, _redact],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _redact, renderer],
    )
    ours = logging.getLogger("work_data_hub")
    ours.handlers.clear()
    for handler in handlers:
        handler.setFormatter(formatter)
        ours.addHandler(handler)
    ours.propagate = False
    ours.setLevel(min(handler.level for handler in handlers))
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def sanitize_for_logging(event: Mapping[str, Any]) -> dict[str, Any]:
    """The same facts with every secret replaced, also inside nested mappings, lists and texts."""
    return {key: REDACTED if _is_secret(key, value) else _sanitized(value) for key, value in event.items()}


def _is_secret(key: object, value: object) -> bool:
    return value is not None and bool(_SECRET_KEY.search(str(key)))


def _sanitized(value: Any) -> Any:
    if isinstance(value, Mapping):
        return sanitize_for_logging(value)
    if isinstance(value, list | tuple | set | frozenset):
        return [_sanitized(item) for item in value]
    if isinstance(value, str):
        return _without_secrets(value)
    if isinstance(value, BaseException):
        return _without_secrets(f"{type(value).__name__}: {value}")
    return value


def _without_secrets(text: str) -> str:
    for pattern, replacement in _SECRETS_IN_TEXT:
        text = pattern.sub(replacement, text)
    return text


def _redact(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return sanitize_for_logging(event)


def _file_handler(settings: Settings) -> logging.Handler:
    settings.log_file_dir.mkdir(parents=True, exist_ok=True)
    path = settings.log_file_dir / "workdatahub.log"
    handler = TimedRotatingFileHandler(path, when="midnight", backupCount=KEPT_DAYS, encoding="utf-8")
    handler.setLevel(settings.log_level)
    return handler


_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
    structlog.processors.format_exc_info,
]
