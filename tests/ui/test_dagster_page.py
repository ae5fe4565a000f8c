"""A job launched by a click in Dagster's page loads the same rows as the command line."""

import json
import os
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect, sync_playwright
from tests.free_ports import free_port
from tests.hub import DOMAIN, Hub

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = [
    pytest.mark.ui,
    pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed"),
]

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
def dagster(hub: Hub) -> Iterator[str]:
    """The address of a page started as users start it."""
    port = free_port()
    process = subprocess.Popen(
        hub.command("dagster", "dev", "--port", str(port)),
        env=hub.environment(),
        cwd=hub.home,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)


@pytest.fixture
def page(tmp_path: Path) -> Iterator[Page]:
    with sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            tmp_path / "chromium", executable_path=CHROMIUM, headless=True, args=FLAGS
        )
        yield context.pages[0] if context.pages else context.new_page()
        context.close()


def test_a_click_loads_what_the_command_line_would(hub: Hub, dagster: str, page: Page) -> None:
    hub.sample()
    planned = hub.etl().domain
    config = json.dumps({"ops": {"find": {"config": {"period": "202410", "execute": True}}}})

    page.goto(
        f"{dagster}/locations/work_data_hub.orchestration.definitions/jobs/{DOMAIN}_job/playground/setup?config={quote(config)}"
    )
    launch = page.get_by_role("button", name="Launch Run").first
    expect(launch).to_be_enabled(timeout=60_000)
    launch.click()
    page.wait_for_url("**/runs/*", timeout=60_000)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible(timeout=120_000)

    assert hub.query("select count(*) from business.规模明细") == [(planned["rows"]["read"],)]
    assert hub.etl("--execute").report["status"] == "unchanged"
    assert hub.etl("--execute", "--force").report["status"] == "loaded"
    page.goto(f"{dagster}/runs")
    expect(page.get_by_text(f"{DOMAIN}_job")).to_have_count(2, timeout=30_000)


def _wait_for(address: str) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/server_info", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise AssertionError("Dagster's page did not come up")
