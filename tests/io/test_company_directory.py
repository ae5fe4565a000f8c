"""The registry's client, over real HTTP against the simulated registry: answers, faults, bounds and secrets."""

import json
import logging
import socket
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from threading import Event, Thread
from typing import Any

import pytest
from pydantic import SecretStr

from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.domain.sample.companies import sample_company
from work_data_hub.errors import DirectoryError, RegistryRefused, RegistryUnavailable
from work_data_hub.io.company_directory import CompanyDirectory, DirectoryAccess, TokenState
from work_data_hub.io.registry_http import Timing
from work_data_hub.io.registry_simulator import DETAIL, LABELS, SEARCH, TOKEN, Simulator
from work_data_hub.log import configure_logging
from work_data_hub.settings import Settings

pytestmark = pytest.mark.unit

CANARY = "canary-4f1c9a77e2-token"
HENGTAI = sample_company("北京恒泰电力有限公司", company_id="600000001", former_names=("北京老恒泰厂",))
NAME = HENGTAI.full_name
RULES = IdentityRules()
TRANSIENT = ["429", "429-retry-after", "500", "503", "cut", "not-json"]


@pytest.fixture(scope="module")
def served() -> Iterator[tuple[Simulator, str]]:
    simulator = Simulator([HENGTAI], token=CANARY)
    with simulator.serving() as url:
        yield simulator, url


@pytest.fixture
def simulator(served: tuple[Simulator, str]) -> Iterator[Simulator]:
    served[0].recover()
    served[0].forget_calls()
    yield served[0]
    served[0].recover()


@pytest.fixture
def access(served: tuple[Simulator, str]) -> DirectoryAccess:
    return DirectoryAccess(base_url=served[1], token=CANARY, timeout_seconds=10, rate_limit=10_000)


@pytest.fixture
def slept() -> list[float]:
    """The waits that the directory asked for and that nobody waited."""
    return []


@pytest.fixture
def directory(simulator: Simulator, access: DirectoryAccess, slept: list[float]) -> Iterator[CompanyDirectory]:
    with CompanyDirectory(access, timing=hurried(slept)) as directory:
        yield directory


def hurried(slept: list[float]) -> Timing:
    return Timing(sleep=slept.append, jitter=lambda: 1.0)


def failed(ask: Callable[[], object]) -> DirectoryError:
    with pytest.raises(DirectoryError) as raised:
        ask()
    return raised.value


def test_a_name_is_looked_up_with_details_and_labels(directory: CompanyDirectory) -> None:
    found = directory.look_up(NAME, rules=RULES)

    assert (found.search.outcome, found.search.confidence) == ("accepted", 1.0)
    assert found.company is not None
    assert found.company.detail is not None
    assert found.company.detail["businessInfodto"]["credit_code"] == HENGTAI.unite_code
    assert found.company.labels is not None
    assert found.company.labels["labels"]


def test_details_can_be_left_for_later(directory: CompanyDirectory, simulator: Simulator) -> None:
    found = directory.look_up(NAME, rules=RULES, with_details=False)

    assert found.company is not None
    assert (found.company.company_id, found.company.detail, found.company.labels) == ("600000001", None, None)
    assert simulator.count() == 1


def test_a_former_name_is_to_be_reviewed(directory: CompanyDirectory) -> None:
    found = directory.look_up("北京老恒泰厂", rules=RULES)

    assert (found.search.outcome, found.search.confidence) == ("review", 0.72)
    assert found.company is not None


def test_an_unknown_name_costs_one_call_and_has_no_company(directory: CompanyDirectory, simulator: Simulator) -> None:
    found = directory.look_up("火星矿业", rules=RULES)

    assert (found.search.outcome, found.company) == ("not_found", None)
    assert simulator.count() == 1


def test_a_match_that_is_not_taken_costs_no_details(directory: CompanyDirectory, simulator: Simulator) -> None:
    found = directory.look_up("北京老恒泰厂", rules=IdentityRules(review_from=0.8))

    assert (found.search.outcome, found.company) == ("uncertain", None)
    assert simulator.count() == 1


def test_the_moment_of_the_answer_is_told(access: DirectoryAccess, simulator: Simulator) -> None:
    moment = datetime(2024, 10, 31, tzinfo=UTC)
    with CompanyDirectory(access, timing=Timing(now=lambda: moment)) as directory:
        found = directory.look_up(NAME, rules=RULES)

    assert found.company is not None
    assert found.company.fetched_at == moment


def test_a_name_is_searched_as_given_and_known_by_its_form(directory: CompanyDirectory, simulator: Simulator) -> None:
    found = directory.search(f"{NAME}&x=1 #?%20")

    assert simulator.calls[0].key == f"{NAME}&x=1 #?%20" == found.searched_name


def test_a_blank_name_is_not_searched(directory: CompanyDirectory, simulator: Simulator) -> None:
    with pytest.raises(ValueError, match="blank"):
        directory.search(" - ")
    assert simulator.count() == 0


def test_nobody_has_neither_details_nor_labels(directory: CompanyDirectory) -> None:
    assert directory.detail("999999999") is None
    assert directory.labels("999999999") == {"labels": []}


def test_the_contract_s_headers_are_sent(directory: CompanyDirectory, simulator: Simulator, served: Any) -> None:
    directory.search(NAME)
    headers = simulator.calls[0].headers

    assert headers["referer"] == f"{served[1]}/"
    assert headers["user-agent"] == "Mozilla/5.0 (WorkDataHub EQC Client)"
    assert (headers["accept"], headers["content-type"]) == ("application/json", "application/json")


def test_proxies_of_the_environment_get_no_token(directory: CompanyDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")

    assert directory.search(NAME).outcome == "accepted"


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_may_pass_is_asked_again(directory: CompanyDirectory, simulator: Simulator, kind: str) -> None:
    simulator.fail(kind, times=3)

    assert directory.search(NAME).outcome == "accepted"
    assert simulator.count(SEARCH) == 4


@pytest.mark.parametrize("kind", TRANSIENT)
def test_what_does_not_pass_is_given_up(directory: CompanyDirectory, simulator: Simulator, kind: str) -> None:
    simulator.fail(kind)

    assert isinstance(failed(lambda: directory.search(NAME)), RegistryUnavailable)
    assert (simulator.count(), directory.counts.failures, directory.is_available) == (4, 1, True)


def test_waits_grow_with_a_jitter(access: DirectoryAccess, simulator: Simulator) -> None:
    simulator.fail("503")
    slept: list[float] = []
    with CompanyDirectory(access, timing=Timing(sleep=slept.append, jitter=lambda: 0.9)) as directory:
        failed(lambda: directory.search(NAME))

    assert slept == [0.9, 1.8, 3.6]


def test_the_usual_jitter_is_a_fifth_either_way() -> None:
    drawn = [Timing().jitter() for _ in range(200)]

    assert 0.8 <= min(drawn) < 0.9 < 1.1 < max(drawn) <= 1.2


def test_the_registry_says_how_long_to_wait(
    directory: CompanyDirectory, simulator: Simulator, slept: list[float]
) -> None:
    simulator.fail("429-retry-after", times=1, seconds=17)

    assert directory.search(NAME).outcome == "accepted"
    assert slept == [17.0]


def test_a_wait_that_is_too_long_ends_the_asking(
    directory: CompanyDirectory, simulator: Simulator, slept: list[float]
) -> None:
    simulator.fail("429-retry-after", seconds=3600)
    failed(lambda: directory.search(NAME))

    assert isinstance(failed(lambda: directory.search(NAME)), RegistryUnavailable)
    assert (simulator.count(), slept) == (1, [])
    assert "asks to wait 3600 s" in str(directory.reason)


@pytest.mark.parametrize("kind", ["401", "token-expired"])
def test_a_refused_token_ends_the_asking(directory: CompanyDirectory, simulator: Simulator, kind: str) -> None:
    simulator.fail(kind, times=1)

    assert isinstance(failed(lambda: directory.search(NAME)), RegistryRefused)
    assert isinstance(failed(lambda: directory.detail("600000001")), RegistryRefused)
    assert (simulator.count(), directory.is_available) == (1, False)
    assert "refuses the token" in str(directory.reason)


def test_a_403_is_asked_once_more_with_the_token_alone(directory: CompanyDirectory, simulator: Simulator) -> None:
    simulator.fail("403-headers")

    assert directory.look_up(NAME, rules=RULES).search.outcome == "accepted"
    assert [len(call.headers) for call in simulator.calls[1:]] == [1, 1, 1]
    assert simulator.count() == 4


def test_a_403_that_stays_ends_the_asking(directory: CompanyDirectory, simulator: Simulator) -> None:
    simulator.fail("403")

    assert isinstance(failed(lambda: directory.search(NAME)), RegistryRefused)
    assert (simulator.count(), directory.is_available) == (2, False)


@pytest.mark.parametrize("kind", ["wrong-shape", "huge"])
def test_an_answer_that_is_none_is_a_failure(
    simulator: Simulator, access: DirectoryAccess, slept: list[float], kind: str
) -> None:
    simulator.fail(kind)
    with CompanyDirectory(replace(access, retry_max=0), timing=hurried(slept)) as directory:
        for ask in (lambda: directory.search(NAME), lambda: directory.detail("1"), lambda: directory.labels("1")):
            assert isinstance(failed(ask), RegistryUnavailable)
        assert directory.counts.failures == 3


@pytest.mark.parametrize("kind", ["503", "wrong-shape"])
@pytest.mark.parametrize("part", [DETAIL, LABELS])
def test_details_that_fail_do_not_cost_the_match(
    directory: CompanyDirectory, simulator: Simulator, kind: str, part: str
) -> None:
    simulator.fail(kind, only_for=part)
    company = directory.look_up(NAME, rules=RULES).company

    assert company is not None
    assert (company.detail is None, company.labels is None) == (part == DETAIL, part == LABELS)


def test_a_token_refused_for_details_does_not_cost_the_match(directory: CompanyDirectory, simulator: Simulator) -> None:
    simulator.fail("401", only_for=DETAIL)
    found = directory.look_up(NAME, rules=RULES)

    assert found.company is not None
    assert (found.company.detail, found.company.labels) == (None, None)
    assert (simulator.count(LABELS), directory.is_available) == (0, False)


def test_three_names_in_a_row_without_an_answer_end_the_asking(
    directory: CompanyDirectory, simulator: Simulator
) -> None:
    simulator.fail("500", times=12)
    for _ in range(3):
        failed(lambda: directory.search(NAME))

    assert "3 names in a row" in str(directory.reason)
    assert isinstance(failed(lambda: directory.search(NAME)), RegistryUnavailable)
    assert simulator.count() == 12


def test_an_answer_between_failures_counts_anew(directory: CompanyDirectory, simulator: Simulator) -> None:
    for _ in range(3):
        simulator.fail("500", times=8)
        failed(lambda: directory.search(NAME))
        failed(lambda: directory.search(NAME))
        directory.search(NAME)

    assert directory.is_available
    assert directory.counts.failures == 6


def test_details_that_always_fail_are_not_asked_for_ever(directory: CompanyDirectory, simulator: Simulator) -> None:
    simulator.fail("503", only_for=DETAIL)
    for _ in range(5):
        directory.look_up(NAME, rules=RULES)

    assert (simulator.count(DETAIL), simulator.count(LABELS)) == (12, 5)
    assert directory.is_available


@pytest.mark.parametrize("kind", ["hang", "slow", "trickle"])
def test_no_request_takes_longer_than_it_may(simulator: Simulator, access: DirectoryAccess, kind: str) -> None:
    simulator.fail(kind, seconds=0.2 if kind == "trickle" else 30)
    with CompanyDirectory(replace(access, timeout_seconds=0.4, retry_max=0)) as directory:
        assert "no whole answer within" in failed(lambda: directory.search(NAME)).message


def test_headers_that_trickle_take_no_longer_either(access: DirectoryAccess) -> None:
    with trickling_headers() as url:
        hasty = replace(access, base_url=url, timeout_seconds=0.4, retry_max=0)
        with CompanyDirectory(hasty) as directory:
            assert "no whole answer within" in failed(lambda: directory.search(NAME)).message


def test_a_slow_answer_in_time_is_an_answer(simulator: Simulator, directory: CompanyDirectory) -> None:
    simulator.fail("slow", seconds=0.1)

    assert directory.search(NAME).outcome == "accepted"


def test_a_hanging_registry_costs_no_more_than_the_run_has(simulator: Simulator, access: DirectoryAccess) -> None:
    simulator.fail("hang")
    with CompanyDirectory(access, deadline_seconds=2) as directory:
        assert "used up" in failed(lambda: directory.search(NAME)).message
        assert "used up" in failed(lambda: directory.search(NAME)).message
        assert (directory.is_available, directory.counts.failures, simulator.count()) == (False, 0, 1)


def test_no_wait_goes_past_the_deadline(simulator: Simulator, access: DirectoryAccess, slept: list[float]) -> None:
    simulator.fail("503")
    with CompanyDirectory(access, deadline_seconds=3, timing=hurried(slept)) as directory:
        failed(lambda: directory.search(NAME))

    assert slept == [1.0, 2.0]


def test_the_rate_limit_ends_the_asking_where_its_wait_is_past_the_deadline(
    simulator: Simulator, access: DirectoryAccess, slept: list[float]
) -> None:
    slow = replace(access, rate_limit=2, rate_window_seconds=60)
    with CompanyDirectory(slow, deadline_seconds=30, timing=hurried(slept)) as directory:
        found = directory.look_up(NAME, rules=RULES)
        assert found.company is not None
        assert (found.company.detail is None, found.company.labels) == (False, None)
        assert "the rate limit leaves no time" in failed(lambda: directory.search(NAME)).message
    assert (simulator.count(), slept) == (2, [])


def test_a_name_that_the_rate_limit_has_no_turn_for_was_not_asked(
    simulator: Simulator, access: DirectoryAccess, slept: list[float]
) -> None:
    slow = replace(access, rate_limit=2, rate_window_seconds=60)
    with CompanyDirectory(slow, deadline_seconds=30, timing=hurried(slept)) as directory:
        asked = 0
        while directory.is_available:
            before = directory.counts.names
            with suppress(DirectoryError):
                directory.look_up(NAME, rules=RULES, with_details=False)
            asked += directory.counts.names > before
        failed(lambda: directory.search(NAME))

        assert (asked, directory.counts.names, directory.counts.failures) == (2, 2, 0)
        assert directory.reason == "the rate limit leaves no time for more names within WDH_EQC_RUN_SECONDS"
    assert (simulator.count(), slept) == (2, [])


def test_a_name_whose_repeat_has_no_turn_was_asked(
    simulator: Simulator, access: DirectoryAccess, slept: list[float]
) -> None:
    simulator.fail("503")
    slow = replace(access, rate_limit=1, rate_window_seconds=60)
    with CompanyDirectory(slow, deadline_seconds=30, timing=hurried(slept)) as directory:
        failed(lambda: directory.search(NAME))

        assert (directory.is_available, directory.counts.names) == (False, 1)


def test_a_turn_within_the_deadline_is_waited_for(simulator: Simulator, access: DirectoryAccess) -> None:
    clock = [1000.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    slow, timing = replace(access, rate_limit=2), Timing(clock=lambda: clock[0], sleep=sleep)
    with CompanyDirectory(slow, deadline_seconds=Settings().eqc_run_seconds, timing=timing) as directory:
        for _ in range(4):
            directory.search(NAME)
        failed(lambda: directory.search(NAME))

        assert (directory.is_available, directory.counts.names, simulator.count()) == (False, 4, 4)


def test_every_call_counts_for_the_rate_limit(simulator: Simulator, access: DirectoryAccess) -> None:
    clock = [1000.0]

    def sleep(seconds: float) -> None:
        clock[0] += seconds

    slow = replace(access, rate_limit=3, rate_window_seconds=60)
    with CompanyDirectory(slow, timing=Timing(clock=lambda: clock[0], sleep=sleep)) as directory:
        for _ in range(3):
            directory.look_up(NAME, rules=RULES)

    assert clock[0] == pytest.approx(1000 + 2 * 60.1)


def test_an_address_where_nobody_listens_is_a_failure(access: DirectoryAccess, slept: list[float]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    gone = replace(access, base_url=f"http://127.0.0.1:{port}")
    with CompanyDirectory(gone, timing=hurried(slept)) as directory:
        assert "ConnectError" in failed(lambda: directory.search(NAME)).message


def test_a_wrong_address_makes_no_name_unknown(served: tuple[Simulator, str], access: DirectoryAccess) -> None:
    with CompanyDirectory(replace(access, base_url=f"{served[1]}/elsewhere")) as directory:
        assert "answered 404" in failed(lambda: directory.search(NAME)).message
        assert directory.detail("600000001") is None


@pytest.mark.parametrize(
    ("kind", "state"),
    [(None, "valid"), ("401", "refused"), ("403", "refused"), ("token-expired", "refused"), ("500", "cannot tell")],
)
def test_the_token_is_checked(directory: CompanyDirectory, simulator: Simulator, kind: str | None, state: str) -> None:
    if kind:
        simulator.fail(kind)

    assert directory.check_token().state == state
    assert simulator.count() == simulator.count(TOKEN)
    assert directory.is_available == (state != TokenState.REFUSED)


def test_what_was_asked_is_counted(directory: CompanyDirectory, simulator: Simulator) -> None:
    directory.look_up(NAME, rules=RULES)
    directory.search("火星矿业")
    counts = directory.counts

    assert (counts.calls, counts.names, counts.failures, counts.candidates_ignored) == (4, 2, 0, 0)


# Secrets


@pytest.mark.parametrize(
    "kind", ["401", "403", "429", "500", "hang", "cut", "not-json", "wrong-shape", "token-expired"]
)
def test_the_token_shows_in_no_error_and_no_log(
    simulator: Simulator,
    access: DirectoryAccess,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    kind: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    simulator.fail(kind)
    with CompanyDirectory(replace(access, timeout_seconds=0.3, retry_max=0)) as directory:
        error = failed(lambda: directory.search(NAME))
        told = [str(directory), repr(directory), str(directory.reason), str(directory.counts)]

    assert CANARY not in "".join([*told, *everything_said_of(error), caplog.text, *capsys.readouterr()])


def everything_said_of(error: BaseException | None) -> Iterator[str]:
    while error is not None:
        yield from (str(error), repr(error), repr(vars(error)), *traceback.format_exception(error))
        error = error.__cause__ or error.__context__


def test_an_answer_that_repeats_the_token_is_kept_without_it(access: DirectoryAccess) -> None:
    body = f'{{"list": [{{"companyId": "600000001", "name": "恒泰", "echo": "{CANARY}"}}]}}'
    with answering(body) as url, CompanyDirectory(replace(access, base_url=url)) as directory:
        found = directory.search(NAME)

    assert CANARY not in repr(found)
    assert found.candidates[0].raw["echo"] == "[REDACTED]"


def test_a_token_that_is_repeated_escaped_is_not_kept_either(access: DirectoryAccess) -> None:
    echo = CANARY.replace("c", r"\u0063").replace("/", r"\/")
    body = f'{{"list": [{{"companyId": "600000001", "name": "恒泰", "{echo}": ["x {echo}"]}}]}}'
    with answering(body) as url, CompanyDirectory(replace(access, base_url=url)) as directory:
        found = directory.search(NAME)

    assert CANARY not in repr(found)
    assert found.candidates[0].raw["[REDACTED]"] == ["[REDACTED]"]


@pytest.mark.parametrize("error", ["Invalid token {}", "{} has expired", {"sent": "{}"}])
def test_an_error_that_repeats_the_token_is_a_refusal(access: DirectoryAccess, error: Any) -> None:
    body = json.dumps({"error": error}).replace("{}", CANARY)
    with answering(body) as url, CompanyDirectory(replace(access, base_url=url)) as directory:
        assert isinstance(failed(lambda: directory.search(NAME)), RegistryRefused)


def test_an_id_cut_by_what_cannot_be_stored_is_no_other_s(access: DirectoryAccess) -> None:
    items = [{"companyId": written, "name": "恒泰"} for written in ("6000\x0000001", "6000\ud80000001")]
    with answering(json.dumps({"list": items})) as url, CompanyDirectory(replace(access, base_url=url)) as directory:
        assert directory.search(NAME).candidates == ()
        assert directory.counts.candidates_ignored == 2


def test_a_redirect_is_not_followed(
    access: DirectoryAccess, served: tuple[Simulator, str], simulator: Simulator
) -> None:
    elsewhere = f"Location: {served[1]}/kg-api-hfd/api/search/\r\n"
    with (
        answering("", status="302 Found", headers=elsewhere) as url,
        CompanyDirectory(replace(access, base_url=url)) as directory,
    ):
        assert "answered 302" in failed(lambda: directory.search(NAME)).message
    assert simulator.count() == 0


def test_the_token_is_blotted_out_of_every_log_line(capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(eqc_token=SecretStr(CANARY))
    root, before = logging.getLogger(), logging.getLogger().handlers[:]
    configure_logging(settings)
    try:
        logging.getLogger("other").warning("sent %s", [(b"token", CANARY.encode())])
    finally:
        for handler in [handler for handler in root.handlers if handler not in before]:
            root.removeHandler(handler)

    said = capsys.readouterr().err
    assert "sent" in said
    assert CANARY not in said


# Servers that the simulated registry is too well-behaved to be


@contextmanager
def serving(answer: Callable[[socket.socket], None]) -> Iterator[str]:
    """A server that hands each connection to `answer`, one after the other."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:

        def run() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65_536)
                        answer(connection)
                except OSError:
                    return

        thread = Thread(target=run, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


def answering(body: str, *, status: str = "200 OK", headers: str = "") -> Any:
    text = body.encode()
    head = f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n{headers}\r\n".encode()
    return serving(lambda connection: connection.sendall(head + text))


def trickling_headers() -> Any:
    pause = Event()

    def answer(connection: socket.socket) -> None:
        for sign in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 40:
            connection.sendall(bytes([sign]))
            pause.wait(0.05)

    return serving(answer)
