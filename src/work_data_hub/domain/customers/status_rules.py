"""The declared rules of the snapshots' status flags: which there must be, and how they are evaluated."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import reduce
from graphlib import TopologicalSorter
from types import MappingProxyType

import pandas as pd

from work_data_hub.domain.customers.conditions import Condition, Scene
from work_data_hub.domain.customers.status_fields import Granularity, TimeScope

LINE_FLAGS = ("is_winning_this_year", "is_loss_reported", "is_churned_this_year", "is_new", "is_new_arrival")
PLAN_FLAGS = ("is_winning_this_year", "is_loss_reported", "is_churned_this_year")
PLAN_SUFFIX = "_plan"
RULE_NAMES = MappingProxyType(
    {
        **dict.fromkeys(LINE_FLAGS, Granularity.PRODUCT_LINE),
        **dict.fromkeys((flag + PLAN_SUFFIX for flag in PLAN_FLAGS), Granularity.PLAN),
    }
)
"""The rule of every flag of the two tables, and the granularity it must have."""

DERIVED = "derived"
"""The source of a status that may look anywhere, other statuses included."""


class Operator(StrEnum):
    """How the conditions of a rule are joined."""

    AND = "AND"
    OR = "OR"


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusDefinition:
    """What a status means, what it is told from (a source, or DERIVED), and over what time."""

    description: str
    source: str
    time_scope: TimeScope


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRule:
    """When a status holds: at least one condition, joined by the operator."""

    name: str
    granularity: Granularity
    operator: Operator
    conditions: tuple[Condition, ...]

    @property
    def status(self) -> str:
        """The status that it decides, which is also the column of its table."""
        return self.name.removesuffix(PLAN_SUFFIX)

    @property
    def references(self) -> frozenset[str]:
        """The rules that must be evaluated before."""
        return frozenset[str]().union(*(condition.references for condition in self.conditions))

    def holds(self, scene: Scene) -> pd.Series:
        """Whether the status holds, a bool for every row of the scene."""
        verdicts = [condition.holds(scene) for condition in self.conditions]
        return reduce(lambda left, right: left & right if self.operator is Operator.AND else left | right, verdicts)


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRules:
    """Every rule by name, and every definition by status.

    Making it raises graphlib.CycleError where rules wait for each other.
    """

    definitions: Mapping[str, StatusDefinition]
    rules: Mapping[str, StatusRule]

    def __post_init__(self) -> None:
        self._in_order()

    def flags(self, scene: Scene) -> dict[str, pd.Series]:
        """The flag columns of the scene's rows, evaluated by the rules of its granularity."""
        scene = replace(scene, settled={})
        for rule in self._of(scene.granularity):
            scene.settled[rule.name] = rule.holds(scene)
        return {self.rules[name].status: verdicts for name, verdicts in scene.settled.items()}

    def trace(self, scene: Scene) -> tuple[str, ...]:
        """One line a flag of the scene's first row: whether it holds, and which of its conditions do."""
        scene, lines = replace(scene, settled={}), []
        for rule in self._of(scene.granularity):
            scene.settled[rule.name] = rule.holds(scene)
            lines.append(_line(rule, scene))
        return tuple(lines)

    def _of(self, granularity: Granularity) -> list[StatusRule]:
        return [rule for rule in self._in_order() if rule.granularity is granularity]

    def _in_order(self) -> list[StatusRule]:
        """The rules, each behind those it uses."""
        names = TopologicalSorter({name: rule.references for name, rule in self.rules.items()}).static_order()
        return [self.rules[name] for name in names]


def _line(rule: StatusRule, scene: Scene) -> str:
    parts = [f"{condition.words()}: {_yes(condition.holds(scene))}" for condition in rule.conditions]
    joined = f" {rule.operator} ".join(parts)
    return f"{rule.status}: {_yes(scene.settled[rule.name])} ({joined})"


def _yes(verdicts: pd.Series) -> str:
    return "yes" if verdicts.iloc[0] else "no"
