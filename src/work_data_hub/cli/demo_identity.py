"""A scene of the demo: names behind temporary ids are asked for, and stored rows follow."""

from dataclasses import replace
from uuid import uuid4

from pydantic import SecretStr

from work_data_hub.cli.identity_apply_run import apply_lines
from work_data_hub.domain.sample.companies import company_universe
from work_data_hub.errors import WarehouseError
from work_data_hub.io.registry_simulator import SAMPLE_TOKEN, Simulator
from work_data_hub.orchestration.identity_apply import ApplyRequest, apply_identity
from work_data_hub.orchestration.identity_queue import drain_queue, lease_seconds, look_at_queue, open_registry
from work_data_hub.orchestration.places import describe_database
from work_data_hub.orchestration.queue_worker import DrainRequest
from work_data_hub.orchestration.requests import Workplace
from work_data_hub.settings import Settings

_UNHURRIED = 1_000_000
_ASKED_FOR = 200


def show_identity(settings: Settings, place: Workplace) -> None:
    """Ask a simulated registry for the names that wait, then bring stored rows to their companies.

    Raises WarehouseError where no row got another company.
    """
    waiting, _ = look_at_queue(place)
    print(
        f"  {waiting.pending:,} names stand behind temporary ids (IN…); an invented registry is asked for {_ASKED_FOR}"
    )
    with Simulator(company_universe()).serving() as url:
        given = {"eqc_base_url": url, "eqc_token": SecretStr(SAMPLE_TOKEN), "eqc_rate_limit": _UNHURRIED}
        asking = settings.model_copy(update={**given, "eqc_enabled": True})
        with open_registry(asking) as registry:
            request, lease = DrainRequest(limit=_ASKED_FOR), lease_seconds(asking)
            drained = drain_queue(request, place, registry=registry, lease_seconds=lease)
    print(
        "  " + " · ".join(f"{word.replace('_', ' ')} {number:,}" for word, number in drained.counts.items() if number)
    )
    applied = apply_identity(ApplyRequest(run_id=uuid4().hex[:12], execute=True), place)
    print("\n".join(apply_lines(replace(applied, database=describe_database(place.database_url)), most=3)))
    if not applied.rows_changed:
        raise WarehouseError("the demo's names were not resolved", hint="run it again with a clean --folder")
