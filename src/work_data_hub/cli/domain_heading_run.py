"""`wdh domain accept-heading` and `ignore-heading`: what they do."""

import getpass
from datetime import date

from work_data_hub.cli.arguments import declared_domain
from work_data_hub.cli.doors import open_door
from work_data_hub.domain.text import visible
from work_data_hub.io import heading_edits
from work_data_hub.io.accepted_headings import HEADINGS_FILE


def accept_heading(domain: str, column: str, heading: str, *, remove: bool) -> None:
    """Record or take back the heading; print what changed and the next command."""
    config_dir, declared, shown = open_door().config_dir, declared_domain(domain), visible(heading)
    if remove:
        changed = heading_edits.remove_heading(config_dir, domain=declared, column=column, heading=heading)
        done, same = f"{shown} no longer means {column}", f"{shown} was not accepted for {column}; nothing changed"
    else:
        changed = heading_edits.accept_heading(
            config_dir, domain=declared, column=column, heading=heading, note=_note()
        )
        done, same = f"{shown} now means {column}", f"{shown} means {column} already; nothing changed"
    _tell(domain, f"{done} ({config_dir / HEADINGS_FILE})" if changed else same)


def ignore_heading(domain: str, heading: str, *, remove: bool) -> None:
    """Leave the heading out from now on, or no longer; print what changed and the next command."""
    config_dir, declared, shown = open_door().config_dir, declared_domain(domain), visible(heading)
    if remove:
        changed = heading_edits.heed_heading(config_dir, domain=declared, heading=heading)
        done, same = f"{shown} is no longer ignored", f"{shown} was not ignored; nothing changed"
    else:
        changed = heading_edits.ignore_heading(config_dir, domain=declared, heading=heading, note=_note())
        done, same = f"{shown} is now ignored", f"{shown} is ignored already; nothing changed"
    _tell(domain, f"{done} ({config_dir / HEADINGS_FILE})" if changed else same)


def _note() -> str:
    """Who changed the file, and when."""
    return f"{date.today()} {getpass.getuser()}"


def _tell(domain: str, words: str) -> None:
    print(f"{domain}: {words}")
    print(f"next: wdh etl --domains {domain} --period YYYYMM")
