"""Ids for companies that nobody has identified yet."""

import base64
import hmac
import re

_TEMPORARY = re.compile(r"IN[A-Z2-7]{16}")


def temporary_id(normalised_name: str, *, salt: str) -> str:
    """Return `IN` and 16 letters or digits, always the same for the same name and salt.

    The name must be normalised first. Raises ValueError for a blank name or salt:
    all blank names would share one company.
    """
    if not normalised_name or not salt:
        raise ValueError("a temporary id needs a name and a salt")
    digest = hmac.digest(salt.encode(), normalised_name.encode(), "sha1")
    return "IN" + base64.b32encode(digest[:10]).decode()


def is_temporary(company_id: str) -> bool:
    """Say whether the id was made by `temporary_id`."""
    return _TEMPORARY.fullmatch(company_id) is not None
