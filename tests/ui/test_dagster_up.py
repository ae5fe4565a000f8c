"""`wdh dagster up` says in plain lines what it shows and when it is ready, and leaves nothing behind when it ends."""

import re
import shutil
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest
from playwright.sync_api import sync_playwright
from tests.dagster_up import Up, dagster_up
from tests.free_ports import free_port
from tests.hub import Hub
from tests.patience import PATIENT_SECONDS, until

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.orchestration.dagster_instance import DEFINITIONS

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.ui


def family(up: Up) -> list[psutil.Process]:
    return list(psutil.Process(up.process.pid).children(recursive=True))


def end(up: Up, number: signal.Signals) -> int:
    up.process.send_signal(number)
    return up.process.wait(timeout=PATIENT_SECONDS)


def answers(url: str) -> bool:
    try:
        question = {"query": "{ repositoriesOrError { __typename } }"}
        answer = httpx.post(f"{url}/graphql", json=question, timeout=PATIENT_SECONDS)
    except httpx.HTTPError:
        return False
    return bool(answer.json()["data"]["repositoriesOrError"]["__typename"] == "RepositoryConnection")


def test_it_is_ready_when_it_says_so_and_ends_with_all_it_started(hub: Hub) -> None:
    with dagster_up(hub) as up:
        up.wait_for(f"ready: {up.url}")
        was_there, children = answers(up.url), family(up)
        second = hub.process("dagster", "up", "--port", str(free_port()))
        third = hub.process("dagster", "up", "--port", up.url.rpartition(":")[2], DAGSTER_HOME=str(hub.home / "other"))
        code = end(up, signal.SIGTERM)

    assert (was_there, code, len(children) > 2) == (True, 0, True)
    assert not psutil.wait_procs(children, timeout=PATIENT_SECONDS)[1]
    expect_plain_lines(hub, up)
    assert second.code == 2
    assert second.stderr.startswith(f"[USAGE_ERROR] {hub.home / 'dagster'}: Dagster runs already: {up.url}, processes ")
    assert third.code == 2
    assert third.stderr.startswith(f"[USAGE_ERROR] cannot listen on {up.url.removeprefix('http://')}: ")
    assert second.stderr.count("\n") == third.stderr.count("\n") == 1


def expect_plain_lines(hub: Hub, up: Up) -> None:
    """Only our own lines, without colours; all that Dagster says stands in its log, plain as well."""
    log = hub.home / "dagster" / "logs" / "servers.log"
    assert up.said.splitlines() == [
        f"Dagster starts on {up.url}; it takes a minute or so",
        "  shown      the months of every domain, their checks and runs, and the pipelines",
        f"  warehouse  {hub.url.rpartition('/')[2]} on {hub.url.rpartition('@')[2].partition('/')[0]}",
        f"  workbooks  {hub.data}: a month's workbook that is new or changed is planned",
        f"  its log    {log}",
        f"ready: {up.url} · Ctrl-C stops it",
        f"  months     {up.url}/assets/{next(iter(DOMAINS))}/gold?view=partitions",
        f"  all        {up.url}/asset-groups",
        "Dagster stops; a run under way is broken off, and the next start says how it ended",
        "Dagster has stopped",
    ]
    assert "Serving dagster-webserver" in log.read_text(encoding="utf-8")
    assert "\x1b" not in log.read_text(encoding="utf-8")


def test_one_that_is_told_to_end_while_it_starts_leaves_nothing_behind(hub: Hub) -> None:
    with dagster_up(hub) as up:
        up.wait_for("  its log")
        children = family(up)
        code = end(up, signal.SIGINT)

    assert code == 0
    assert up.said.endswith("Dagster has stopped\n")
    assert not psutil.wait_procs(children, timeout=PATIENT_SECONDS)[1]
    assert not answers(up.url)


def test_definitions_that_do_not_load_are_one_line_that_says_why(hub: Hub) -> None:
    broken = hub.home / "broken"
    broken.mkdir()
    # A module that cannot be imported, as after a half-done update.
    (broken / "sitecustomize.py").write_text(
        "import sys\nsys.modules['work_data_hub.orchestration.sample_job'] = None\n"
    )
    with dagster_up(hub, PYTHONPATH=f"{broken}:{hub.environment().get('PYTHONPATH', '')}") as up:
        code = up.process.wait(timeout=3 * PATIENT_SECONDS)

    assert code == 2, up.said
    (line,) = [line for line in up.said.splitlines() if line.startswith("[")]
    assert line.startswith("[CONFIG_ERROR] the definitions do not load: ")
    assert "work_data_hub.orchestration.sample_job" in line
    assert "Traceback" not in up.said


def test_a_server_killed_from_outside_ends_it_with_a_line_and_a_code(hub: Hub) -> None:
    with dagster_up(hub) as up:
        up.wait_for(f"ready: {up.url}")
        (daemon,) = [one for one in family(up) if "dagster._daemon" in " ".join(one.cmdline())]
        daemon.kill()
        code = up.process.wait(timeout=PATIENT_SECONDS)

    assert code == 1
    log = hub.home / "dagster" / "logs" / "servers.log"
    assert up.said.splitlines()[-1] == (
        f"dagster-daemon ended by itself by SIGKILL, and Dagster with it: {log} says why"
    )


@pytest.mark.parametrize("killed", ["api grpc", "code-server start"])
def test_a_server_of_our_code_that_is_killed_comes_back(hub: Hub, killed: str) -> None:
    with dagster_up(hub) as up:
        up.wait_for(f"ready: {up.url}")
        before = of_code(up, "api grpc")
        (one,) = of_code(up, killed)
        one.kill()
        until(lambda: set(of_code(up, "api grpc")) - set(before), every=0.2)
        until(lambda: loads(up.url), every=0.5)
        code = end(up, signal.SIGTERM)

    assert code == 0
    gone = "the server of our code is gone: Dagster starts it again, and goes on within a minute or so"
    assert (gone in up.said) == (killed == "api grpc"), up.said


def of_code(up: Up, words: str) -> list[psutil.Process]:
    found = []
    for one in family(up):
        with suppress(psutil.NoSuchProcess):
            if words in " ".join(one.cmdline()):
                found.append(one)
    return found


def loads(url: str) -> bool:
    """Whether a dry run of a sensor comes back, which only the server of our code can answer."""
    selector = {
        "repositoryName": "__repository__",
        "repositoryLocationName": DEFINITIONS,
        "sensorName": "run_reconciler",
    }
    question = (
        "mutation($s: SensorSelector!) { sensorDryRun(selectorData: $s, cursor: null) { __typename"
        " ... on DryRunInstigationTick { evaluationResult { error { message } } } } }"
    )
    try:
        answer = httpx.post(
            f"{url}/graphql", json={"query": question, "variables": {"s": selector}}, timeout=PATIENT_SECONDS
        )
    except httpx.HTTPError:
        return False
    ticked = (answer.json().get("data") or {}).get("sensorDryRun") or {}
    result = ticked.get("evaluationResult")
    return result is not None and result["error"] is None


def test_a_warehouse_that_cannot_be_reached_is_told_of_before_anything_starts(hub: Hub) -> None:
    port = free_port()
    answer = hub.process("dagster", "up", "--port", str(port), DATABASE_URL="postgresql://u:secret@127.0.0.1:9/x")

    assert answer.code == 5
    assert answer.stderr.splitlines()[-1].startswith(
        "[WAREHOUSE_ERROR] cannot connect to postgresql://u:***@127.0.0.1:9/x"
    )
    assert "hint: check that the server runs" in answer.stderr
    assert "secret" not in answer.stderr
    assert not (hub.home / "dagster" / "logs" / "servers.log").exists()


@pytest.mark.parametrize("command", ["up", "dev", "webserver", "code-server"])
def test_a_port_that_is_none_is_a_usage_error(hub: Hub, command: str) -> None:
    answer = hub.process("dagster", command, "--port", "99999")

    assert answer.code == 2
    assert answer.stderr.endswith("Error: Invalid value for '--port': Input should be less than or equal to 65535\n")


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_port_0_takes_a_free_one_and_says_where_the_months_are(hub: Hub, tmp_path: Path) -> None:
    with dagster_up(hub, port=0) as up:
        up.wait_for("  all        ")
        said = dict(line.split(maxsplit=1) for line in up.said.splitlines() if line.startswith(("ready", "  ")))
        months, groups = said["months"], said["all"]
        texts = page_texts(tmp_path, {months: re.compile(r"^20\d\d-\d\d$"), groups: re.compile("annuity_performance")})
        end(up, signal.SIGTERM)

    assert months == f"{groups.removesuffix('/asset-groups')}/assets/{next(iter(DOMAINS))}/gold?view=partitions"
    assert ":0/" not in months
    assert all(name in texts[groups] for name in DOMAINS)


def page_texts(folder: Path, wanted: Mapping[str, re.Pattern[str]]) -> dict[str, str]:
    """What stands on each page once the text stands there."""
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            folder / "chromium", executable_path=CHROMIUM, headless=True, args=["--no-sandbox", "--disable-gpu"]
        )
        page, texts = context.new_page(), dict[str, str]()
        for address, text in wanted.items():
            page.goto(address)
            page.get_by_text(text).first.wait_for(timeout=1000 * PATIENT_SECONDS)
            texts[address] = page.inner_text("body")
        context.close()
    return texts


def test_what_a_killed_one_left_running_is_named_to_the_next(hub: Hub) -> None:
    with dagster_up(hub) as up:
        up.wait_for("  its log")
        lock = hub.home / "dagster" / "servers.lock"
        until(lambda: "processes" in lock.read_text(encoding="utf-8"), every=0.2)
        (servers,) = psutil.Process(up.process.pid).children()
        up.process.kill()
        up.process.wait()
        second = hub.process("dagster", "up", "--port", str(free_port()))
        for one in (*servers.children(recursive=True), servers):
            one.kill()

    assert second.code == 2
    assert f"Dagster runs already: {up.url}, processes {up.process.pid} and {servers.pid} " in second.stderr
