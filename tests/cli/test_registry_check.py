"""`wdh registry check`: what it prints, how it exits, and that it never shows the token."""

import json
import logging
from collections.abc import Callable, Iterator

import pytest

from work_data_hub.cli.registry_check_run import run_check
from work_data_hub.io.registry_simulator import Simulator
from work_data_hub.settings import get_settings

pytestmark = pytest.mark.unit

CANARY = "canary-4f1c9a77e2-token"
Check = Callable[..., tuple[int, str]]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator([], token=CANARY)
    with simulator.serving() as url:
        yield simulator, url


@pytest.fixture
def check(
    served: tuple[Simulator, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Check]:
    """Run the check with these variables; gives the exit code and what stdout shows."""
    served[0].recover()
    root, level = logging.getLogger(), logging.getLogger().level

    def run(*, report: str = "text", **variables: str) -> tuple[int, str]:
        for name, value in ({"WDH_EQC_BASE_URL": served[1], "WDH_EQC_TOKEN": CANARY} | variables).items():
            monkeypatch.setenv(name, value)
        get_settings.cache_clear()
        code = run_check(report=report, debug=True)
        shown = capsys.readouterr()
        assert CANARY not in f"{shown.out}{shown.err}"
        return code, shown.out

    yield run
    root.setLevel(level)
    get_settings.cache_clear()


def test_a_token_that_counts_is_valid(check: Check, served: tuple[Simulator, str]) -> None:
    code, shown = check()

    assert code == 0
    assert shown.split() == ["registry", served[1], "token", "set", "result", "valid"]


@pytest.mark.parametrize("kind", ["401", "403", "token-expired"])
def test_a_refused_token_says_what_to_do(check: Check, served: tuple[Simulator, str], kind: str) -> None:
    served[0].fail(kind)
    code, shown = check()

    assert code == 7
    assert "refused" in shown
    assert "next: sign in to the registry" in shown


def test_what_cannot_be_told_says_why(check: Check, served: tuple[Simulator, str]) -> None:
    served[0].fail("503")
    code, shown = check()

    assert code == 7
    assert "cannot tell · the registry answered 503" in shown


@pytest.mark.parametrize("missing", ["WDH_EQC_BASE_URL", "WDH_EQC_TOKEN"])
def test_without_address_or_token_nothing_is_asked(check: Check, served: tuple[Simulator, str], missing: str) -> None:
    served[0].forget_calls()
    code, shown = check(**{missing: ""})

    assert code == 7
    assert f"not asked · {missing} is not set" in shown
    assert served[0].count() == 0


def test_the_json_document_says_the_same(check: Check, served: tuple[Simulator, str]) -> None:
    served[0].fail("500")
    code, shown = check(report="json")

    assert code == 7
    assert json.loads(shown) == {
        "command": "registry check",
        "base_url": served[1],
        "is_token_set": True,
        "result": "cannot tell",
        "reason": "the registry answered 500",
        "error": None,
    }
