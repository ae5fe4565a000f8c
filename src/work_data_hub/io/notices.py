"""Notices on their way: a webhook, and mail."""

import json
import smtplib
import ssl
from collections.abc import Callable, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from work_data_hub.domain.notices import Notice
from work_data_hub.errors import NoticeNotSent, NoticeRefused
from work_data_hub.io.left_calls import within

WEBHOOK, MAIL = "webhook", "mail"
_SETTINGS = {WEBHOOK: "WDH_NOTICE_WEBHOOK", MAIL: "WDH_NOTICE_MAIL_SERVER"}
_SMTP_PORT = 587
# Too slow, too early, too many: the same request may be taken later.
_NOT_NOW = frozenset({408, 425, 429})


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRoutes:
    """Where notices go; addresses hold keys and passwords, and are shown nowhere."""

    webhook: str | None = field(default=None, repr=False)
    mail_server: str | None = field(default=None, repr=False)
    mail_to: str | None = None
    mail_from: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """The routes there are."""
        given: Mapping[str, object] = {WEBHOOK: self.webhook, MAIL: self.mail_server and self.mail_to}
        return tuple(name for name, value in given.items() if value)


def send(notice: Notice, routes: NoticeRoutes, *, by: str, seconds: float) -> None:
    """Send by the route of that name, and wait so long at most.

    Raises NoticeRefused where this notice will never be taken, NoticeNotSent where it may be later.
    """
    way = _post if by == WEBHOOK else _mail
    _in_time(lambda: way(notice, routes, seconds), by=by, seconds=seconds)


def _in_time(work: Callable[[], None], *, by: str, seconds: float) -> None:
    """Do it; time limits of sockets hold for each word of a server, this one for all that it says."""
    try:
        within(seconds, work)
    except TimeoutError:
        raise _not_sent(by, f"no answer within {seconds:g} s") from None


def _post(notice: Notice, routes: NoticeRoutes, seconds: float) -> None:
    try:
        with httpx.stream("POST", str(routes.webhook), json=notice.as_json(), timeout=seconds) as answer:
            status = answer.status_code
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _not_sent(WEBHOOK, type(error).__name__) from None
    if status in _NOT_NOW or status >= 500:
        raise _not_sent(WEBHOOK, f"it answered {status}")
    if not 200 <= status < 300:
        raise _refused(WEBHOOK, notice, f"it answered {status}")


def _mail(notice: Notice, routes: NoticeRoutes, seconds: float) -> None:
    parts, message = urlsplit(str(routes.mail_server)), _message(notice, routes)
    try:
        with closing(smtplib.SMTP(parts.hostname or "", parts.port or _SMTP_PORT, timeout=seconds)) as server:
            _log_in(server, parts)
            left_out = server.send_message(message)
            # The mail is taken: nothing that comes after may make it look lost.
            with suppress(OSError, smtplib.SMTPException):
                server.putcmd("QUIT")
    except (OSError, smtplib.SMTPException) as error:
        if _is_final(error):
            raise _refused(MAIL, notice, type(error).__name__) from None
        raise _not_sent(MAIL, type(error).__name__) from None
    if left_out:
        raise _refused(MAIL, notice, f"for {', '.join(left_out)}; the other addresses have it")


def _message(notice: Notice, routes: NoticeRoutes) -> EmailMessage:
    message = EmailMessage()
    message["Subject"], message["From"], message["To"] = notice.subject, routes.mail_from, routes.mail_to
    message.set_content(notice.text)
    facts = json.dumps(notice.as_json(), ensure_ascii=False, indent=1)
    message.add_attachment(facts.encode(), maintype="application", subtype="json", filename="notice.json")
    return message


def _log_in(server: smtplib.SMTP, parts: SplitResult) -> None:
    if parts.username:
        server.starttls(context=ssl.create_default_context())
        server.login(unquote(parts.username), unquote(parts.password or ""))


def _is_final(error: Exception) -> bool:
    """Whether the server refuses this mail for good; a refused login is no word about a mail."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPSenderRefused | smtplib.SMTPDataError) and error.smtp_code >= 500


def _not_sent(by: str, why: str) -> NoticeNotSent:
    return NoticeNotSent(
        f"a notice could not be sent by {by}: {why}",
        field=_SETTINGS[by],
        hint="it is tried again; where that goes on, check the setting and its server",
    )


def _refused(by: str, notice: Notice, why: str) -> NoticeRefused:
    return NoticeRefused(
        f"the {by} does not take {notice.subject!r}: {why}",
        field=_SETTINGS[by],
        hint="it is not sent again: read it in Dagster, and check the setting and what its server takes",
    )
