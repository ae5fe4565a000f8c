"""`python -m tests.validation TARGET`: one target of the document, or validate."""

import argparse
import os
import signal
import sys
from types import FrameType

from tests.validation.desk import Desk
from tests.validation.processes import ENDS
from tests.validation.stack import stack_of
from tests.validation.targets import TARGETS
from tests.validation.validate import validate
from tests.validation.variables import variables_of
from work_data_hub.cli.complaints import complain
from work_data_hub.cli.doors import open_door
from work_data_hub.errors import Interrupted, WorkDataHubError


def main(arguments: list[str]) -> int:
    """The exit code; 4 where a scenario of validate failed, 130 where a signal ended it."""
    parser = argparse.ArgumentParser(prog="python -m tests.validation", description=__doc__)
    parser.add_argument("target", choices=[*TARGETS, "validate"], metavar="TARGET")
    parser.add_argument("--times", type=int, default=1, help="how often to validate, each time from nothing")
    given = parser.parse_args(arguments)
    for number in ENDS:
        signal.signal(number, _end)
    try:
        if given.target == "validate":
            return validate(times=given.times)
        TARGETS[given.target](Desk(stack=stack_of(open_door())), variables_of(os.environ))
    except WorkDataHubError as error:
        complain(error)
        return error.exit_code
    except KeyboardInterrupt:
        return Interrupted.exit_code
    return 0


def _end(number: int, frame: FrameType | None) -> None:
    """End once: what comes after the first signal would only disturb the taking down."""
    for one in ENDS:
        signal.signal(one, signal.SIG_IGN)
    raise KeyboardInterrupt


sys.exit(main(sys.argv[1:]))
