"""The simulated registry over real HTTP: its contract, its faults, its count of calls, and its command."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.patience import PATIENT_SECONDS

from work_data_hub.cli.registry_simulate_run import run_simulate
from work_data_hub.domain.sample.companies import company_universe, sample_company
from work_data_hub.errors import UsageError
from work_data_hub.io.registry_faults import FaultKind, fault_from_json, fault_from_text
from work_data_hub.io.registry_simulator import DETAIL, LABELS, ROOT, SAMPLE_TOKEN, SEARCH, TOKEN, Simulator

pytestmark = pytest.mark.unit

HENGTAI = sample_company("北京恒泰电力有限公司", company_id="600000001")
LATE = sample_company("昆明龙腾烟草有限公司", company_id="600000002")
NAME = HENGTAI.full_name


class Caller:
    """Calls a simulator as a client with the right token does."""

    def __init__(self, url: str, **headers: str) -> None:
        self.client = httpx.Client(base_url=url, headers={"token": SAMPLE_TOKEN, **headers}, timeout=PATIENT_SECONDS)

    def get(self, path: str = "", **params: str) -> httpx.Response:
        return self.client.get(f"{ROOT}{path}", params=params)

    def search(self, name: str = NAME) -> Any:
        return self.get(key=name).json()["list"]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator([HENGTAI, LATE])
    with simulator.serving() as url:
        yield simulator, url


@pytest.fixture
def simulator(served: tuple[Simulator, str]) -> Simulator:
    served[0].recover()
    served[0].forget_calls()
    return served[0]


@pytest.fixture
def caller(served: tuple[Simulator, str]) -> Iterator[Caller]:
    caller = Caller(served[1])
    with caller.client:
        yield caller


def test_exact_name_is_found(simulator: Simulator, caller: Caller) -> None:
    first = caller.search()[0]
    assert (first["companyId"], first["type"]) == ("600000001", "全称精确匹配")


def test_unknown_name_has_an_empty_list(simulator: Simulator, caller: Caller) -> None:
    answer = caller.get(key="火星矿业有限责任公司")
    assert (answer.status_code, answer.json()) == (200, {"list": []})


def test_detail_and_labels_belong_to_the_id(simulator: Simulator, caller: Caller) -> None:
    detail = caller.get("findDepart", targetId="600000001").json()["businessInfodto"]
    labels = caller.get("findLabels", targetId="600000001").json()["labels"]

    assert (detail["company_name"], labels[0]["type"]) == (NAME, "行业分类")


def test_nobody_has_no_detail(simulator: Simulator, caller: Caller) -> None:
    assert caller.get("findDepart", targetId="1").json() == {"businessInfodto": {}}


def test_a_token_is_validated_with_a_page_of_a_search(simulator: Simulator, caller: Caller) -> None:
    answer = caller.get("searchAll", keyword="有限公司", currentPage="1", pageSize="1")
    assert (answer.status_code, len(answer.json()["list"]), answer.json()["total"]) == (200, 1, 2)


@pytest.mark.parametrize("path", ["", "findDepart", "findLabels", "searchAll"])
@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_wrong_token_is_refused(simulator: Simulator, caller: Caller, path: str, token: str) -> None:
    assert caller.client.get(ROOT + path, headers={"token": token}).status_code == 401


def test_calls_are_counted_by_endpoint_and_name(simulator: Simulator, caller: Caller) -> None:
    for path, params in (("", {"key": NAME}), ("", {"key": "别的"}), ("findLabels", {"targetId": "600000001"})):
        caller.get(path, **params)

    assert (simulator.count(), simulator.count(SEARCH), simulator.count(key=NAME)) == (3, 2, 1)
    assert (simulator.count(DETAIL), simulator.count(LABELS), simulator.count(TOKEN)) == (0, 1, 0)


def test_the_log_is_there_over_http_and_begins_anew(simulator: Simulator, caller: Caller) -> None:
    caller.search()
    log = caller.client.get("/simulator/log").json()

    assert log == {"total": 1, "calls": [{"endpoint": "search", "path": ROOT, "name": NAME, "count": 1}]}
    assert caller.client.delete("/simulator/log").json() == {"total": 0, "calls": []}


def test_the_log_keeps_headers_but_no_token(simulator: Simulator, served: tuple[Simulator, str]) -> None:
    with Caller(served[1], Referer="https://example.com/").client as client:
        client.get(ROOT, params={"key": NAME})

    assert simulator.calls[0].headers["referer"] == "https://example.com/"
    assert SAMPLE_TOKEN not in repr(simulator.calls)


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
def test_status_on_demand(simulator: Simulator, caller: Caller, status: int) -> None:
    simulator.fail(str(status))
    assert caller.get(key=NAME).status_code == status


def test_retry_after_on_demand(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("429-retry-after", seconds=7)
    answer = caller.get(key=NAME)
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


def test_403_headers_lets_a_call_with_the_token_only_pass(
    simulator: Simulator, caller: Caller, served: tuple[Simulator, str]
) -> None:
    simulator.fail("403-headers")
    with Caller(served[1], Referer="https://example.com/").client as client:
        assert client.get(ROOT, params={"key": NAME}).status_code == 403
    assert caller.get(key=NAME).status_code == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("token-expired", {"error": "TokenExpired"}),
        ("wrong-shape", {"list": "无", "businessInfodto": [1], "labels": {"type": 3}}),
    ],
)
def test_bodies_that_are_no_answer(simulator: Simulator, caller: Caller, kind: str, body: object) -> None:
    simulator.fail(kind)
    answer = caller.get(key=NAME)
    assert (answer.status_code, answer.json()) == (200, body)


def test_not_json_is_a_page(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("not-json")
    with pytest.raises(json.JSONDecodeError):
        caller.get(key=NAME).json()


def test_huge_is_larger_than_any_answer(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("huge")
    assert len(caller.get(key=NAME).content) > 60 * 2**20


@pytest.mark.parametrize("kind", ["slow", "trickle"])
def test_late_answers_are_whole(simulator: Simulator, caller: Caller, kind: str) -> None:
    simulator.fail(kind, seconds=0)
    assert caller.search()[0]["companyId"] == "600000001"


@pytest.mark.parametrize("kind", ["slow", "hang"])
def test_an_answer_may_outlast_the_callers_patience(simulator: Simulator, caller: Caller, kind: str) -> None:
    simulator.fail(kind, seconds=60)
    with pytest.raises(httpx.ReadTimeout):
        caller.client.get(ROOT, params={"key": NAME}, timeout=httpx.Timeout(PATIENT_SECONDS, read=0.05))


def test_trickle_never_lets_a_read_time_out(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("trickle", seconds=0.01)
    with caller.client.stream("GET", ROOT, params={"key": NAME}, timeout=PATIENT_SECONDS) as answer:
        pieces = answer.iter_raw()
        assert len(next(pieces)) < 10


def test_cut_closes_in_the_middle_of_the_body(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("cut")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        caller.get(key=NAME)


def test_what_hangs_is_answered_when_released(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("hang", times=1)
    with ThreadPoolExecutor(1) as pool:
        hanging = pool.submit(caller.search)
        while simulator.count() == 0:
            assert not hanging.done()
        simulator.release()
        assert hanging.result(timeout=PATIENT_SECONDS)[0]["companyId"] == "600000001"


def test_a_fault_ends_after_its_times(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("503", times=2)
    assert [caller.get(key=NAME).status_code for _ in range(3)] == [503, 503, 200]


def test_a_share_of_calls_fails_the_same_way_with_the_same_seed(simulator: Simulator, caller: Caller) -> None:
    rounds = []
    for _ in range(2):
        simulator.recover()
        simulator.fail("500", share=0.5, seed=3)
        rounds.append([caller.get(key=NAME).status_code for _ in range(20)])

    assert rounds[0] == rounds[1]
    assert set(rounds[0]) == {200, 500}


@pytest.mark.parametrize("only_for", ["detail", "600000001"])
def test_a_fault_for_one_endpoint_or_id(simulator: Simulator, caller: Caller, only_for: str) -> None:
    simulator.fail("500", only_for=only_for)
    assert caller.get(key=NAME).status_code == 200
    assert caller.get("findDepart", targetId="600000001").status_code == 500


def test_a_fault_for_one_name(simulator: Simulator, caller: Caller) -> None:
    simulator.fail("500", only_for=NAME)
    assert [caller.get(key=name).status_code for name in (NAME, LATE.full_name)] == [500, 200]


def test_faults_are_put_and_ended_over_http(simulator: Simulator, caller: Caller) -> None:
    put = caller.client.post("/simulator/faults", json=[{"kind": "503", "only_for": "search"}])
    spoilt = caller.get(key=NAME).status_code
    caller.client.delete("/simulator/faults")

    assert (put.status_code, spoilt, caller.get(key=NAME).status_code) == (200, 503, 200)


@pytest.mark.parametrize(
    "body",
    [
        b"no json",
        b"[1]",
        b'{"kind": "504"}',
        b'{"kind": "503", "time": 1}',
        b'{"kind": "503", "times": 0}',
        b'{"kind": "503", "share": NaN}',
        b'{"kind": "503", "seconds": "1"}',
        b'[{"kind": "503"}, {"kind": "504"}]',
    ],
)
def test_a_wrong_fault_is_refused_whole(simulator: Simulator, caller: Caller, body: bytes) -> None:
    refused = caller.client.post("/simulator/faults", content=body)

    assert (refused.status_code, "hint" in refused.json()) == (400, True)
    assert caller.get(key=NAME).status_code == 200


def test_names_known_later_answer_after_recovery() -> None:
    simulator = Simulator([HENGTAI, LATE], known_later=[LATE.full_name])
    with simulator.serving() as url, (caller := Caller(url)).client:
        before = caller.search(LATE.full_name), caller.search("昆明龙腾烟草"), caller.search()
        hidden = caller.get("findDepart", targetId=LATE.company_id).json()
        simulator.recover()
        after = caller.search(LATE.full_name)

    assert before[:2] == ([], [])
    assert (len(before[2]), hidden, len(after)) == (1, {"businessInfodto": {}}, 1)


def test_stopping_breaks_off_what_hangs() -> None:
    simulator = Simulator([HENGTAI])
    with ThreadPoolExecutor(1) as pool:
        with simulator.serving() as url, (caller := Caller(url)).client:
            simulator.fail("hang")
            hanging = pool.submit(caller.get, key=NAME)
            while simulator.count() == 0:
                assert not hanging.done()
        assert hanging.exception(timeout=PATIENT_SECONDS) is not None or hanging.result().status_code == 500


def test_an_outage_ends_on_the_same_port() -> None:
    simulator = Simulator([HENGTAI])
    with simulator.serving() as url:
        port = int(url.rpartition(":")[2])
    with pytest.raises(httpx.ConnectError):
        Caller(url).search()
    with simulator.serving(port=port) as again:
        assert (again, len(Caller(again).search())) == (url, 1)


def test_a_universe_answers_for_a_company_of_the_sample() -> None:
    universe = company_universe(size=50)
    with Simulator(universe).serving() as url:
        assert Caller(url).search(universe[7].full_name)[0]["companyId"] == universe[7].company_id


@pytest.mark.parametrize("text", ["504", "", "503:x", "503:0", "503:2", "503:0.5:x", "503:0.5:1:1", "503:nan"])
def test_fault_texts_that_cannot_be(text: str) -> None:
    with pytest.raises(UsageError) as refused:
        fault_from_text(text)
    assert refused.value.hint


def test_fault_texts_and_objects() -> None:
    read = fault_from_text("503:0.5:3")
    assert (read.kind, read.share, read.seed) == (FaultKind.UNAVAILABLE, 0.5, 3)
    assert read == fault_from_json({"kind": "503", "share": 0.5, "seed": 3})


@contextmanager
def started(ready: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """The command in a process of its own, once it answers."""
    command = [sys.executable, "-m", "work_data_hub", "registry", "simulate", "--port", "0", "--companies", "20"]
    words = [*command, "--ready-file", str(ready), *arguments]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert "use it with WDH_EQC_BASE_URL=http://127.0.0.1:" in process.stdout.readline()
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_command_serves_until_it_is_told_to_end(tmp_path: Path, sign: signal.Signals) -> None:
    ready, token = tmp_path / "ready", "a-token-of-my-own-choice"
    with started(ready, "--fault", "503", "--token", token) as process:
        status = httpx.get(ready.read_text(encoding="utf-8").strip() + ROOT, params={"key": NAME}).status_code
        process.send_signal(sign)
        said = "".join(process.communicate(timeout=PATIENT_SECONDS))

    assert (status, process.returncode, ready.exists(), token in said) == (503, 0, False, False)


def simulate(**changes: Any) -> int:
    options: dict[str, Any] = {"port": 0, "host": "127.0.0.1", "token": "", "seed": 7, "companies": 5}
    more = {"faults": (), "known_later": (), "ready_file": None}
    return run_simulate(**{**options, **more, **changes})


def test_a_port_in_use_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(UsageError) as refused:
        simulate(port=taken.getsockname()[1])
    assert (refused.value.field, "--port" in str(refused.value.hint)) == ("--port", True)


def test_a_fault_there_is_not_is_told() -> None:
    with pytest.raises(UsageError, match="no such fault"):
        simulate(faults=("502",))


def test_a_ready_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ready file"):
        simulate(ready_file=tmp_path / "no" / "ready")
