"""Where Elasticsearch is and who asks; light, so that whoever has no es: target loads no client."""

import base64
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import SecretStr

from work_data_hub.errors import ConfigError

TOO_LARGE = 413
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexAccess:
    """Address, user and password of Elasticsearch, and the seconds that one of its answers may take.

    Raises ConfigError where one of user and password is given without the other.
    """

    url: str
    user: str | None = None
    password: SecretStr | None = None
    timeout_seconds: float = 10.0

    def __post_init__(self) -> None:
        """Refuse half a pair of credentials."""
        if (self.user is None) is not (self.password is None):
            missing = "ELASTICSEARCH_USER" if self.user is None else "ELASTICSEARCH_PASSWORD"
            raise ConfigError("user and password of Elasticsearch go together", field=missing, hint=f"set {missing}")

    @property
    def node(self) -> str:
        """The URL with its port, which the client wants to see."""
        parts = urlsplit(self.url)
        if parts.port is not None:
            return self.url
        return parts._replace(netloc=f"{parts.netloc}:{_DEFAULT_PORTS[parts.scheme]}").geturl()

    @property
    def credentials(self) -> str | None:
        """User and password as HTTP sends them, for the client alone, which by itself encodes ASCII only."""
        if self.user is None or self.password is None:
            return None
        return base64.b64encode(f"{self.user}:{self.password.get_secret_value()}".encode()).decode()
