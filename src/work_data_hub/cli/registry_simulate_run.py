"""`wdh registry simulate`: what the command does."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from pathlib import Path
from threading import Event

from work_data_hub.cli.doors import open_door
from work_data_hub.domain.sample.companies import company_universe
from work_data_hub.errors import UsageError
from work_data_hub.io.registry_faults import fault_from_text
from work_data_hub.io.registry_simulator import SAMPLE_TOKEN, Simulator
from work_data_hub.io.whole_files import replace_file


def run_simulate(
    *,
    port: int,
    host: str,
    token: str,
    seed: int,
    companies: int,
    faults: tuple[str, ...],
    known_later: tuple[str, ...],
    ready_file: Path | None,
) -> int:
    """Serve until Ctrl-C or a signal to end, then 0; raises UsageError for a fault there is not or a port in use."""
    open_door()
    simulator = Simulator(
        company_universe(seed=seed, size=companies, names=known_later),
        token=token or SAMPLE_TOKEN,
        known_later=known_later,
    )
    for text in faults:
        simulator.put(fault_from_text(text))
    try:
        with simulator.serving(port=port, host=host) as url, _announced(url, ready_file):
            for told_to_end in (signal.SIGINT, signal.SIGTERM):
                signal.signal(told_to_end, signal.default_int_handler)
            _tell(url, host=host, own_token=bool(token), companies=companies)
            Event().wait()
    except KeyboardInterrupt:
        print("the simulated registry has stopped", file=sys.stderr)
    return 0


def _tell(url: str, *, host: str, own_token: bool, companies: int) -> None:
    shown = "<the token you gave>" if own_token else SAMPLE_TOKEN
    use = f"WDH_EQC_BASE_URL={url} WDH_EQC_TOKEN={shown}"
    print(f"a simulated registry of {companies:,} invented companies answers; use it with {use}", flush=True)
    if not _is_loopback(host):
        print(f"others on the network can reach and steer it at {url}; --host 127.0.0.1 keeps it here", file=sys.stderr)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@contextmanager
def _announced(url: str, ready_file: Path | None) -> Iterator[None]:
    """Keep the URL in the file as long as the block runs."""
    if ready_file is None:
        yield
        return
    try:
        with replace_file(ready_file) as part:
            part.write_text(f"{url}\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(
            f"the ready file cannot be written: {error.strerror}",
            field="--ready-file",
            input_data=str(ready_file),
            hint="name a file in a folder that exists and may be written",
        ) from error
    try:
        yield
    finally:
        ready_file.unlink(missing_ok=True)
