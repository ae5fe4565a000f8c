"""`wdh pipelines demo-data`: what the command does."""

import json
from contextlib import closing

from work_data_hub.cli.arguments import refuse_form
from work_data_hub.cli.doors import open_door
from work_data_hub.cli.render import headline
from work_data_hub.errors import UsageError
from work_data_hub.io.database import existing_url
from work_data_hub.io.demo_films import MOST_GENERATED, Seeded, seed_films
from work_data_hub.io.postgres import connect, transaction, warehouse_errors
from work_data_hub.orchestration.places import describe_database


def run_demo_data(*, scale: int, report: str = "text", debug: bool = False) -> int:
    """Fill content.film_work and ugc.ratings, in one transaction, and print what was added; 0.

    Raises UsageError in staging and prod, and for a scale below 0 or above `MOST_GENERATED`.
    """
    refuse_form(report)
    settings = open_door(debug=debug)
    _refuse(scale, environment=settings.environment)
    url = existing_url(settings, for_execute=True)
    seeded = _seed(url, scale=scale)
    if report == "json":
        print(json.dumps({"command": "pipelines demo-data", "scale": scale, **seeded.as_json()}, indent=2))
    else:
        print("\n".join([headline(describe_database(url), execute=True), *_lines(seeded)]))
    return 0


def _seed(url: str, *, scale: int) -> Seeded:
    with (
        closing(connect(url, application_name="wdh pipelines demo-data")) as connection,
        warehouse_errors(),
        transaction(connection),
        connection.cursor() as cursor,
    ):
        return seed_films(cursor, scale=scale)


def _refuse(scale: int, *, environment: str) -> None:
    if environment != "dev":
        raise UsageError(
            f"invented films are not written when ENVIRONMENT is {environment}",
            field="ENVIRONMENT",
            hint="run it against a database of dev",
        )
    if not 0 <= scale <= MOST_GENERATED:
        raise UsageError(
            "no such number of films",
            field="--scale",
            input_data=str(scale),
            rule=f"0 to {MOST_GENERATED:,}",
            hint="--scale 10000",
        )


def _lines(seeded: Seeded) -> list[str]:
    return [
        f"  content.film_work  added {seeded.films_added:,} · now {seeded.films:,}",
        f"  ugc.ratings        added {seeded.ratings_added:,} · now {seeded.ratings:,}",
        "next: wdh pipelines apply config/pipelines",
    ]
