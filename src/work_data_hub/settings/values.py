"""The kinds of values that settings take: URLs, tokens, counts, seconds, paths."""

import re
from pathlib import Path
from typing import Annotated
from urllib.parse import SplitResult, parse_qs, urlsplit

from pydantic import AfterValidator, Field, SecretStr

_POSTGRES_SCHEMES = frozenset({"postgres", "postgresql"})


def _postgres_url(secret: SecretStr) -> SecretStr:
    """The URL with the scheme psycopg2 reads; raise ValueError, without the URL, where it is none."""
    scheme, separator, rest = secret.get_secret_value().partition("://")
    if not separator or scheme.partition("+")[0].lower() not in _POSTGRES_SCHEMES:
        raise ValueError("is not a PostgreSQL URL; write postgresql://<user>:<password>@<host>:<port>/<database>")
    try:
        _ = urlsplit(f"postgresql://{rest}").port if "," not in rest else None
    except ValueError:
        raise ValueError("cannot be read; write @ : / ? # % in its password as %40 %3A %2F %3F %23 %25") from None
    return SecretStr(f"postgresql://{rest}")


def passwords_of(url: str) -> list[str]:
    parts = urlsplit(url)
    known = (None, "", parts.username, parts.path.lstrip("/"))  # what is shown anyway is no secret
    return [found for found in (parts.password, *parse_qs(parts.query).get("password", [])) if found not in known]


def _registry_url(url: str) -> str:
    """The URL without a slash at its end; raise ValueError, without the URL, where it is none to ask at."""
    parts = _parts_of(url)
    if parts is None or not re.fullmatch("[!-~]+", url.strip()):
        raise ValueError("is not the URL of a registry; write https://<registry>")
    if _has_more(parts):
        raise ValueError("must be without user, password, ? and #; the token stands in WDH_EQC_TOKEN")
    return parts.geturl()


def _http_url(url: str) -> str:
    """The URL without a slash at its end; raise ValueError, without the URL, where it is none."""
    parts = _parts_of(url)
    if parts is None or _has_more(parts):
        raise ValueError("is not a URL; write https://<host>:9200, user and password stand in variables of their own")
    return parts.geturl()


def _parts_of(url: str) -> SplitResult | None:
    """The parts of a web address without a slash at its end; None where there is no host to ask at."""
    try:
        parts = urlsplit(url.strip().rstrip("/"))
        return parts if parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 else None
    except ValueError:
        return None


def _has_more(parts: SplitResult) -> bool:
    """Whether the address tells more than where to ask: who asks, or what."""
    return parts.username is not None or bool(parts.query or parts.fragment)


def _token(secret: SecretStr) -> SecretStr:
    """The token without blanks around it; raise ValueError, without the token, where it is none."""
    text = secret.get_secret_value().strip()
    if not re.fullmatch("[!-~]{8,}", text):
        raise ValueError("is not a token: it is blank, under 8 characters or holds signs no token has; copy it again")
    return SecretStr(text)


def database_of(url: SecretStr) -> tuple[str, str]:
    parts = urlsplit(url.get_secret_value())
    return parts.netloc.rpartition("@")[2].lower(), parts.path


def _secret_url(secret: SecretStr) -> SecretStr:
    """The address as it is; raise ValueError, without it, where it is none."""
    if _parts_of(secret.get_secret_value()) is None:
        raise ValueError("is not a URL; write https://<host>/<path>")
    return secret


def _mail_server(secret: SecretStr) -> SecretStr:
    """The server as it is; raise ValueError, without it, where it is none."""
    try:
        parts = urlsplit(secret.get_secret_value())
        is_server = parts.scheme == "smtp" and parts.hostname and parts.port != 0
    except ValueError:
        is_server = False
    if not is_server:
        raise ValueError("is not a mail server; write smtp://<user>:<password>@<host>:587")
    return secret


def _mail_addresses(text: str) -> str:
    """Addresses with a comma and a blank between them; raise ValueError where one is none."""
    addresses = [address.strip() for address in text.split(",") if address.strip()]
    if not addresses or not all(re.fullmatch(r"[^@\s,<>]+@[^@\s,<>]+", address) for address in addresses):
        raise ValueError("is no list of mail addresses; write <one@host>,<other@host>")
    return ", ".join(addresses)


def _scheduler_address(address: str) -> str:
    """The address as it is; raise ValueError, without it, where it is none."""
    try:
        parts = urlsplit(address.strip())
        is_address = parts.scheme in ("tcp", "tls") and parts.hostname and parts.port
    except ValueError:
        is_address = False
    if not is_address or parts.username is not None or parts.path or _has_more(parts):
        raise ValueError("is not the address of a scheduler; write tcp://<host>:8786, or tls://<host>:8786")
    return address.strip()


Count = Annotated[int, Field(ge=1, le=1_000_000)]
AbsolutePath = Annotated[Path, AfterValidator(lambda path: path.expanduser().absolute())]
PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres_url)]
RegistryUrl = Annotated[str, AfterValidator(_registry_url)]
Token = Annotated[SecretStr, AfterValidator(_token)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
Attempts = Annotated[int, Field(ge=1, le=20)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]
Rate = Annotated[float, Field(gt=0, le=1_000)]
SchedulerAddress = Annotated[str, AfterValidator(_scheduler_address)]
SecretUrl = Annotated[SecretStr, AfterValidator(_secret_url)]
MailServer = Annotated[SecretStr, AfterValidator(_mail_server)]
MailAddresses = Annotated[str, AfterValidator(_mail_addresses)]
