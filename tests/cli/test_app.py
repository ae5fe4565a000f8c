"""One door: every error a sentence and an exit code."""

import pytest

from work_data_hub.cli import app as door
from work_data_hub.cli.app import run
from work_data_hub.errors import LoadLocked

pytestmark = pytest.mark.unit


def failing(error: BaseException) -> object:
    def app(*_: object, **__: object) -> None:
        raise error

    return app


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (LoadLocked("held"), 6, "[LOAD_LOCKED] held"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (ValueError("secret cell"), 1, "[UNEXPECTED] ValueError"),
    ],
)
def test_errors_become_a_sentence_and_a_code(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: BaseException, code: int, words: str
) -> None:
    monkeypatch.setattr(door, "app", failing(error))

    assert run([]) == code
    shown = capsys.readouterr()
    assert words in shown.err
    assert "secret cell" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize("arguments", [["nothing"], ["etl", "--nothing"], ["etl", "--max-files", "99"]])
def test_unknown_words_are_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert capsys.readouterr().out == ""


def test_rules_explain_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["rule", "WDH-V201"]) == 0
    assert "金额无法识别" in capsys.readouterr().out
    assert run(["rule", "WDH-V999"]) == 2


def test_the_printed_table_is_sql(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "create-table", "annuity_performance"]) == 0
    assert 'create table "business"."规模明细"' in capsys.readouterr().out
