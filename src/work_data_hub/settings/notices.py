"""Settings of the notices: where a failed run or check is told of."""

from pydantic import Field
from pydantic_settings import BaseSettings

from work_data_hub.settings.values import MailAddresses, MailServer, SecretUrl


class NoticeSettings(BaseSettings):
    """What a site may set for notices; without any of it nobody is told."""

    notice_webhook: SecretUrl | None = Field(
        default=None,
        validation_alias="WDH_NOTICE_WEBHOOK",
        description="Address that gets each notice as JSON with its text; it may hold a key, and is shown nowhere.",
    )
    notice_mail_to: MailAddresses | None = Field(
        default=None,
        validation_alias="WDH_NOTICE_MAIL_TO",
        description="Mail addresses that get each notice, with commas between them; needs WDH_NOTICE_MAIL_SERVER.",
    )
    notice_mail_from: str = Field(
        default="work-data-hub@localhost",
        validation_alias="WDH_NOTICE_MAIL_FROM",
        description="The sender of those mails.",
    )
    notice_mail_server: MailServer | None = Field(
        default=None,
        validation_alias="WDH_NOTICE_MAIL_SERVER",
        description="Who sends them, encrypted: smtp://<user>:<password>@<host>:587; without user and password, as is.",
    )
