"""JSON of a server that is not ours."""

import pytest

from work_data_hub.io.registry_json import read_json

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"3", b'"x"', b"{", b"<html>", b"\xff\xfe", b'{"a":' * 5000])
def test_only_an_object_is_an_answer(body: bytes) -> None:
    assert read_json(body) is None


def test_an_answer_nested_too_deep_is_none() -> None:
    assert read_json(b'{"a":' * 60 + b"1" + b"}" * 60) is None


def test_what_a_database_refuses_is_left_out() -> None:
    assert read_json(rb'{"a\u0000": "x\u0000\ud800y", "n": NaN, "i": [1e999, -Infinity, 1.5]}') == {
        "a": "xy",
        "n": None,
        "i": [None, None, 1.5],
    }
