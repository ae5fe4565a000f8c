"""JSON of a server that is not ours."""

import json
from base64 import b64encode, urlsafe_b64encode
from typing import Any
from urllib.parse import quote

import pytest

from work_data_hub.io.registry_json import read_json

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"3", b'"x"', b"{", b"<html>", b"\xff\xfe", b'{"a":' * 5000])
def test_only_an_object_is_an_answer(body: bytes) -> None:
    assert read_json(body) is None


def test_an_answer_nested_too_deep_is_none() -> None:
    assert read_json(b'{"a":' * 60 + b"1" + b"}" * 60) is None


def test_what_a_database_refuses_is_replaced() -> None:
    assert read_json(rb'{"a\u0000": "x\u0000\ud800y", "n": NaN, "i": [1e999, -Infinity, 1.5]}') == {
        "a\ufffd": "x\ufffd\ufffdy",
        "n": None,
        "i": [None, None, 1.5],
    }


TOKEN = "Canary/4f1c+9a77=e2"
SPELLINGS = {
    "as it is": TOKEN,
    "in capitals": TOKEN.upper(),
    "URL": quote(TOKEN, safe=""),
    "every sign for a URL": "".join(f"%{ord(sign):02x}" for sign in TOKEN),
    "URL in a URL": quote(quote(TOKEN, safe=""), safe=""),
    "base64": b64encode(TOKEN.encode()).decode(),
    "base64 behind one sign": b64encode(f":{TOKEN}!".encode()).decode(),
    "base64 behind two signs": b64encode(f"u:{TOKEN}!".encode()).decode(),
    "base64 for URLs": urlsafe_b64encode(f"\xff~{TOKEN}~\xff".encode()).decode(),
    "base64 in a URL": quote(b64encode(TOKEN.encode()).decode(), safe=""),
    "HTML": TOKEN.replace("/", "&#x2F;").replace("C", "&#67;"),
    "JSON in JSON": json.dumps({"token": TOKEN}).replace("/", "\\/").replace("C", "\\u0043"),
    "cut by NUL": f"{TOKEN[:5]}\x00{TOKEN[5:]}",
}


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
def test_a_text_that_spells_the_secret_is_blotted_out(spelling: str) -> None:
    body = {"list": [{f"key {spelling}": 1, "note": f"恒泰 {spelling} 电力"}], "good": "恒泰 100% \\ &amp;"}

    read = read_json(json.dumps(body).encode(), secret=TOKEN)

    assert read == {"list": [{"[REDACTED]": 1, "note": "[REDACTED]"}], "good": "恒泰 100% \\ &amp;"}


@pytest.mark.parametrize(("sign", "escape"), [("/", r"\/"), ("C", r"\u0043"), ("9", r"\u0039")])
def test_a_secret_escaped_in_the_json_is_blotted_out(sign: str, escape: str) -> None:
    body = '{"echo": ["' + TOKEN.replace(sign, escape) + '"]}'

    assert read_json(body.encode(), secret=TOKEN) == {"echo": ["[REDACTED]"]}


def test_a_backslash_of_the_secret_is_no_disguise() -> None:
    secret = "Canary\\4f1c"  # pragma: allowlist secret

    assert read_json(json.dumps({"a": json.dumps(secret)}).encode(), secret=secret) == {"a": "[REDACTED]"}


@pytest.mark.parametrize("secret", ["31415", "314159265358"])
def test_a_secret_is_blotted_out_of_numbers_and_whatever_its_length(secret: str) -> None:
    body: dict[str, Any] = {"a": int(secret), "b": f"x{secret}", "c": 271828, "d": True, "e": None}

    assert read_json(json.dumps(body).encode(), secret=secret) == body | {"a": "[REDACTED]", "b": "[REDACTED]"}
