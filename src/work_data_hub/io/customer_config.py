"""The file that says what makes a contract strategic or 停缴, and what a sound year looks like."""

import re
from decimal import Decimal
from pathlib import Path

from work_data_hub.domain.customers.master import AumTier
from work_data_hub.domain.customers.rules import CustomerRules
from work_data_hub.domain.period import FIRST_YEAR, LAST_YEAR
from work_data_hub.io.yaml_entries import Entry, read_required

CUSTOMER_FILE = "customer_mdm.yaml"
SCHEMA_VERSION = "1.0"
_SHARES = ("least_strategic_share", "most_strategic_share", "least_existing_share")
_KEYS = ("strategic_threshold", "whitelist_top_n", "contribution_months", "status_year", "aum_tiers", "validation")
_MOST_LARGEST = 1_000_000
_MOST_MONTHS = 120
# As many as the warehouse keeps of an amount: 18 digits, four of them decimals.
_AMOUNT = re.compile(r"[0-9]{1,14}(\.[0-9]{1,4})?")
_SMALLEST = Decimal("0.0001")
_SHARE_DECIMALS = 4


def load_customer_rules(config_dir: Path) -> CustomerRules:
    """Return the thresholds and shares of `customer_mdm.yaml`.

    Raises ConfigError naming file and key where the file or a key is missing, unknown or has a wrong value.
    """
    block = _customer_block(config_dir / CUSTOMER_FILE)
    _aum_tiers(block)
    validation = block.block("validation")
    validation.refuse_unknown(_SHARES)
    shares = {key: _share(validation, key) for key in _SHARES}
    if shares["least_strategic_share"] > shares["most_strategic_share"]:
        most = shares["most_strategic_share"]
        raise validation.wrong("least_strategic_share", f"not above most_strategic_share, {most}")
    return CustomerRules(
        strategic_threshold=_amount(block, "strategic_threshold", least=_SMALLEST),
        whitelist_top_n=_whole(block, "whitelist_top_n", least=0, most=_MOST_LARGEST),
        contribution_months=_whole(block, "contribution_months", least=1, most=_MOST_MONTHS),
        status_year=_status_year(block),
        **shares,
    )


def load_aum_tiers(config_dir: Path) -> tuple[AumTier, ...]:
    """Return the tiers of 规模区间, the smallest first; raises ConfigError as `load_customer_rules` does."""
    return _aum_tiers(_customer_block(config_dir / CUSTOMER_FILE))


def _customer_block(path: Path) -> Entry:
    root = read_required(path, says="which contracts are strategic")
    root.refuse_unknown(("schema_version", "customer_mdm"))
    root.require("schema_version", SCHEMA_VERSION)
    block = root.block("customer_mdm")
    block.refuse_unknown(_KEYS)
    return block


def _aum_tiers(block: Entry) -> tuple[AumTier, ...]:
    tiers = tuple(_tier(entry) for entry in block.blocks("aum_tiers"))
    least = [tier.least for tier in tiers]
    if least != sorted(set(least)) or len({tier.name for tier in tiers}) < len(tiers):
        raise block.wrong("aum_tiers", "tiers of different names, each from a higher amount than the one before")
    return tiers


def _tier(entry: Entry) -> AumTier:
    entry.refuse_unknown(("name", "from"))
    return AumTier(name=entry.text("name"), least=_amount(entry, "from", least=Decimal(0)))


def _amount(block: Entry, key: str, *, least: Decimal) -> Decimal:
    """An amount of money: a whole number, or a decimal one in quotes, never a binary fraction."""
    value = block.values.get(key)
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    if not _AMOUNT.fullmatch(text) or Decimal(text) < least:
        raise block.wrong(key, f"an amount in 元 from {least}: whole, or in quotes with up to four decimals")
    return Decimal(text)


def _whole(block: Entry, key: str, *, least: int, most: int) -> int:
    value = block.values.get(key)
    if type(value) is not int or not least <= value <= most:
        raise block.wrong(key, f"a whole number from {least:,} to {most:,}")
    return value


def _status_year(block: Entry) -> int | None:
    if "status_year" in block.values and block.values["status_year"] is None:
        return None
    return _whole(block, "status_year", least=FIRST_YEAR, most=LAST_YEAR)


def _share(block: Entry, key: str) -> Decimal:
    """A number from 0 to 1; its shortest decimal text is what is meant."""
    value = block.values.get(key)
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else -1
    if not 0 <= number <= 1 or round(number, _SHARE_DECIMALS) != number:
        raise block.wrong(key, f"a number from 0 to 1 with at most {_SHARE_DECIMALS} decimals")
    return Decimal(str(number))
