"""Which code is running, as precisely as a repeated load has to know it."""

import hashlib
from functools import cache
from pathlib import Path

from work_data_hub import __version__

_PACKAGE = Path(__file__).parent.parent


@cache
def code_version() -> str:
    """The version and a digest of the rules and readers: it changes when what they give could."""
    digest = hashlib.sha256()
    for folder in ("domain", "io"):
        for page in sorted((_PACKAGE / folder).rglob("*.py")):
            digest.update(page.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:8]}"
