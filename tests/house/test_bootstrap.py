"""`./wdh` on a bare machine; a small stand-in for uv makes an environment without a network."""

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.unit, pytest.mark.skipif(os.name == "nt", reason="./wdh is for POSIX shells")]

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "dirname", "readlink", "id", "uname", "ls", "awk", "cat", "cksum", "grep", "rm", "ln", "mv", "sleep")
STAND_IN_FOR_UV = """#!/bin/sh
[ "$1" != --version ] || { echo "uv 1.0.0"; exit; }
echo "synced" >>"$(dirname "$0")/../syncs"
[ ! -e "$UV_PROJECT_ENVIRONMENT/bin/wdh" ] || exit 0
mkdir -p "$UV_PROJECT_ENVIRONMENT/bin"
[ -e "$UV_PROJECT_ENVIRONMENT/bin/python" ] || ln -s "$4" "$UV_PROJECT_ENVIRONMENT/bin/python"
printf '#!/bin/sh\\n# %s/bin/python\\necho "ran $*"\\n' "$UV_PROJECT_ENVIRONMENT" >"$UV_PROJECT_ENVIRONMENT/bin/wdh"
chmod +x "$UV_PROJECT_ENVIRONMENT/bin/wdh"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with what ./wdh needs, beside a `bin` with the plainest tools, Python and the stand-in for uv."""
    folder, tools = tmp_path / "the checkout", tmp_path / "bin"
    folder.mkdir()
    tools.mkdir()
    for name in ("wdh", "uv.lock", "pyproject.toml"):
        shutil.copy(ROOT / name, folder / name)
    for name in (*TOOLS, "mkdir", "chmod"):
        (tools / name).symlink_to(shutil.which(name) or name)
    (tools / "python3").symlink_to(sys.executable)
    (tools / "uv").write_text(STAND_IN_FOR_UV)
    (tools / "uv").chmod(0o755)
    return folder


def command(checkout: Path) -> tuple[list[str], dict[str, str]]:
    return [str(checkout / "wdh"), "etl", "a b"], {"PATH": str(checkout.parent / "bin")}


def start(checkout: Path) -> subprocess.CompletedProcess[str]:
    words, environment = command(checkout)
    return subprocess.run(words, env=environment, cwd="/", capture_output=True, text=True, check=False)


def syncs(checkout: Path) -> int:
    return len((checkout.parent / "syncs").read_text().splitlines())


def test_without_python_the_needed_version_is_named(checkout: Path) -> None:
    (checkout.parent / "bin" / "python3").unlink()
    done = start(checkout)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Python 3.11 or newer is needed" in done.stderr


def test_second_start_makes_nothing(checkout: Path) -> None:
    assert start(checkout).stdout == "ran etl a b\n"
    second = start(checkout)
    assert (second.stdout, second.stderr, syncs(checkout)) == ("ran etl a b\n", "", 1)


@pytest.mark.parametrize("name", ["uv.lock", "pyproject.toml"])
def test_a_change_of_what_is_locked_renews_the_environment(checkout: Path, name: str) -> None:
    start(checkout)
    with (checkout / name).open("a") as file:
        file.write("# changed\n")
    start(checkout)
    assert syncs(checkout) == 2


def test_two_first_starts_make_one_environment(checkout: Path) -> None:
    words, environment = command(checkout)
    both = [subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) for _ in "ab"]
    assert [process.communicate()[0] for process in both] == [b"ran etl a b\n"] * 2
    assert syncs(checkout) == 1


def test_the_lock_of_a_dead_start_is_taken_over(checkout: Path) -> None:
    ended = subprocess.run(["/bin/sh", "-c", "echo $$"], capture_output=True, text=True, check=True).stdout.strip()
    (checkout / ".venv-lock").symlink_to(f"{socket.gethostname()} {ended}")
    assert start(checkout).returncode == 0
    assert not (checkout / ".venv-lock").is_symlink()


def test_a_moved_checkout_gets_a_new_environment(checkout: Path) -> None:
    start(checkout)
    moved = checkout.rename(checkout.parent / "moved")
    done = start(moved)
    assert done.returncode == 0
    assert str(moved) in (moved / ".venv" / "bin" / "wdh").read_text()
