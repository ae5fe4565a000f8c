"""What the settings say about the registry, and that the token stays a secret."""

from typing import Any

import pytest
from pydantic import SecretStr

from work_data_hub.errors import ConfigError
from work_data_hub.io.directory_access import DirectoryAccess, directory_access, why_no_registry
from work_data_hub.settings import Settings

pytestmark = pytest.mark.unit

CANARY = "canary-4f1c9a77e2-token"
ACCESS = DirectoryAccess(base_url="https://registry.example", token=CANARY)


def test_settings_give_the_access() -> None:
    settings = Settings(
        eqc_base_url="https://registry.example/", eqc_token=SecretStr(CANARY), eqc_timeout_seconds=5, eqc_retry_max=1
    )
    access = directory_access(settings)

    assert access == DirectoryAccess(base_url="https://registry.example", token=CANARY, timeout_seconds=5, retry_max=1)
    assert why_no_registry(settings) == ""


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({}, "WDH_EQC_BASE_URL and WDH_EQC_TOKEN are not set"),
        ({"eqc_token": SecretStr(CANARY)}, "WDH_EQC_BASE_URL is not set"),
        ({"eqc_base_url": "https://registry.example"}, "WDH_EQC_TOKEN is not set"),
        (
            {"eqc_base_url": "https://registry.example", "eqc_token": SecretStr(CANARY), "eqc_enabled": False},
            "WDH_EQC_ENABLED is false",
        ),
    ],
)
def test_without_address_or_token_there_is_no_registry(values: dict[str, Any], why: str) -> None:
    settings = Settings(**values)

    assert (directory_access(settings), why_no_registry(settings)) == (None, why)


def test_an_even_pace_is_one_request_in_its_time() -> None:
    paced = ACCESS.paced(0.5)

    assert (paced.rate_limit, paced.rate_window_seconds) == (1, 2.0)


def test_a_token_that_cannot_be_sent_is_not_shown() -> None:
    for token in (f"{CANARY}\n", f"{CANARY} x", f"令牌{CANARY}", ""):
        with pytest.raises(ConfigError) as raised:
            DirectoryAccess(base_url="https://registry.example", token=token)
        assert CANARY not in f"{raised.value} {raised.value!r} {vars(raised.value)}"


def test_the_access_does_not_show_its_token() -> None:
    assert CANARY not in f"{ACCESS} {ACCESS!r}"
