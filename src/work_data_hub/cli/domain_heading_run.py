"""`wdh domain accept-heading`: what it does."""

import getpass
from datetime import date

from work_data_hub.cli.arguments import declared_domain
from work_data_hub.cli.doors import open_door
from work_data_hub.io import accepted_headings
from work_data_hub.io.accepted_headings import HEADINGS_FILE


def accept_heading(domain: str, column: str, heading: str, *, remove: bool) -> None:
    """Record or take back the heading; print what changed and the next command."""
    config_dir, declared, shown = open_door().config_dir, declared_domain(domain), " ".join(heading.split())
    if remove:
        changed = accepted_headings.remove_heading(config_dir, domain=declared, column=column, heading=heading)
        done, same = f"{shown} no longer means {column}", f"{shown} was not accepted for {column}; nothing changed"
    else:
        note = f"{date.today()} {getpass.getuser()}"
        changed = accepted_headings.accept_heading(
            config_dir, domain=declared, column=column, heading=heading, note=note
        )
        done, same = f"{shown} now means {column}", f"{shown} means {column} already; nothing changed"
    print(f"{domain}: {done} ({config_dir / HEADINGS_FILE})" if changed else f"{domain}: {same}")
    print(f"next: wdh etl --domains {domain} --period YYYYMM")
