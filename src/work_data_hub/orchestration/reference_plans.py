"""The reference rules of a domain, as the configuration has them, and what they make of its rows."""

from pathlib import Path

import pandas as pd

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.plans import ReferencePlan
from work_data_hub.domain.reference_rules import Reference
from work_data_hub.io.foreign_keys import load_references
from work_data_hub.io.sync_jobs import kept_columns


def references_of(domain: str, *, config_dir: Path) -> tuple[Reference, ...]:
    """The domain's rules, each after those it depends on; raises ConfigError for a rule that cannot be."""
    return load_references(config_dir, DOMAINS)[domain]


def reference_plans(rules: tuple[Reference, ...], gold: pd.DataFrame, *, config_dir: Path) -> tuple[ReferencePlan, ...]:
    """What the accepted rows say about each reference table; columns that a sync delivers stay its own."""
    kept = kept_columns(config_dir)
    return tuple(ReferencePlan.of(rule, gold, kept=kept.get(rule.table, frozenset())) for rule in rules)
