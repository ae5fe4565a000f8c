"""Every code that a message can carry is explained."""

import pytest
from tests.test_errors import every_error

from work_data_hub.cli.app import run
from work_data_hub.cli.explanations import explanations
from work_data_hub.domain.rules import RULES
from work_data_hub.errors import HeadingsMissing

pytestmark = pytest.mark.unit


def test_every_rule_and_every_type_of_error_has_its_paragraph() -> None:
    short = [code for code, explanation in explanations().items() if len(explanation.paragraph) < 80]

    assert short == []
    assert set(explanations()) == set(RULES) | {kind("").error_type for kind in every_error()}


@pytest.mark.parametrize("written", ["HEADINGS_MISSING", "[HEADINGS_MISSING]", "headings_missing"])
def test_the_type_in_a_message_is_the_word_to_ask_with(written: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert str(HeadingsMissing("lacks 计划代码")).startswith("[HEADINGS_MISSING]")

    assert run(["rule", written]) == 0

    shown = capsys.readouterr().out
    assert "exit code: 3" in shown
    assert "wdh domain accept-heading" in shown.replace("\n  ", " ")


def test_an_unknown_code_names_those_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rule", "WDH-X1"]) == 2
    assert "WDH-V201" in capsys.readouterr().err
