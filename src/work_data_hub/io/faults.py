"""Named points at which a run may be killed on purpose, to prove that killing it loses nothing."""

import os
import random
import signal
from dataclasses import dataclass, field

from work_data_hub.errors import ConfigError

LOAD_POINTS = (
    "after_lock",
    "after_running",
    "before_copy",
    "inside_copy",
    "after_delete",
    "before_references",
    "before_ledger",
    "before_commit",
    "after_commit",
)
IDENTITY_POINTS = (
    "after_claim",
    "after_ask",
    "before_item_commit",
    "after_item_commit",
    "inside_repoint",
    "before_refresh_commit",
)
CUSTOMER_POINTS = (
    "after_contract_lock",
    "inside_contracts",
    "before_contract_commit",
    "before_snapshot_commit",
)
# A batch passes after_claim, before_copy, inside_copy, before_commit and after_commit as well.
PIPELINE_POINTS = (
    "in_heartbeat",
    "in_recovery",
    "in_pause",
    "in_finalise",
)
PARTITION_POINTS = ("inside_partition",)
POINTS = (*LOAD_POINTS, *IDENTITY_POINTS, *CUSTOMER_POINTS, *PIPELINE_POINTS, *PARTITION_POINTS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """Kills this process at one named point, with a probability; does nothing where no point is set."""

    point: str = ""
    probability: float = 1.0
    seed: int | None = None
    chance: random.Random = field(default_factory=random.Random, compare=False, repr=False)

    @classmethod
    def parse(cls, text: str | None) -> "Faults":
        """Read `point[:probability[:seed]]`; raises ConfigError for an unknown point or a bad number."""
        if not text:
            return cls()
        point, *numbers = text.split(":")
        hint = f"WDH_FAULT=point[:probability[:seed]] with a point of {', '.join(POINTS)}"
        if point not in POINTS or len(numbers) > 2:
            raise ConfigError(f"unknown fault point {point!r}", field="WDH_FAULT", input_data=text, hint=hint)
        try:
            probability = float(numbers[0]) if numbers else 1.0
            seed = int(numbers[1]) if len(numbers) > 1 else None
        except ValueError as error:
            raise ConfigError("not a number", field="WDH_FAULT", input_data=text, hint=hint) from error
        return cls(point=point, probability=probability, seed=seed, chance=random.Random(seed))

    def reach(self, point: str) -> None:
        """Die here, as `kill -9` would, when `point` is the one that was set."""
        if point == self.point and self.chance.random() < self.probability:
            os.kill(os.getpid(), signal.SIGKILL)


NO_FAULTS = Faults()
