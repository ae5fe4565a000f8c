"""An error on stderr: one line; on a terminal also where its type is explained."""

import sys

from work_data_hub.errors import WorkDataHubError


class Told(int):
    """An exit code whose reason has been shown already."""


def complain(error: WorkDataHubError) -> None:
    """Print the error's line."""
    print(error, file=sys.stderr)
    if sys.stderr.isatty():
        print(f"  why: wdh rule {error.error_type}", file=sys.stderr)
