"""What one month looked like: a row per customer and product line, and one per customer, plan and product line."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pandas as pd

from work_data_hub.domain.customers.conditions import Scene, is_among
from work_data_hub.domain.customers.shapes import AMOUNT_SCALE, CONTRACT_KEY, LINE_KEY, month_of
from work_data_hub.domain.customers.status_fields import AWARDS, LOSSES, MEASURE, Granularity
from work_data_hub.domain.customers.status_rules import StatusRules
from work_data_hub.errors import DataError

STAND_IN_PLANS = ("AN001", "AN002")
"""What the facts hold where a plan is missing: no plan that anybody won."""

LINE_COLUMNS = (
    *("snapshot_month", "company_id", "product_line_code", "is_strategic", "is_existing", "is_new"),
    *("is_new_arrival", "is_winning_this_year", "is_loss_reported", "is_churned_this_year", "is_award_only"),
    *("aum_balance", "plan_count"),
)
PLAN_COLUMNS = (
    *("snapshot_month", "company_id", "plan_code", "product_line_code", "contract_status", "is_strategic"),
    *("is_existing", "is_winning_this_year", "is_loss_reported", "is_churned_this_year", "is_award_only"),
    "aum_balance",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What is known of a month when its snapshot is made; rows that do not concern it may be there and are left out.

    `versions` has the columns VERSIONS, with at least those in force on a day of the month's year up to the
    month's end. `facts` and `before` are the contracts of the month and of the month before: CONTRACT_KEY and
    `aum`, one row a contract. `arrivals` has LINE_KEY with `first_row`, the number of the first month ever with a
    fact, and `first_positive`, that of the first one with Σ AUM above 0 (null where there is none). `awards` and
    `losses` have `company_id`, `plan_code`, `product_line_code` (each may be null) and `month`, a month number;
    one row a reported row. `customers` are the company ids of 客户明细. Amounts are int64 in AMOUNT_SCALE.
    """

    versions: pd.DataFrame
    facts: pd.DataFrame
    before: pd.DataFrame
    arrivals: pd.DataFrame
    awards: pd.DataFrame
    losses: pd.DataFrame
    customers: pd.Series


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The snapshot rows of one month, each frame in the order of its keys.

    `lines` has LINE_COLUMNS and `plans` PLAN_COLUMNS, as the tables have them without `updated_at`:
    `snapshot_month` is the month's last day as datetime64[s], flags are bool, `contract_status` is text or null,
    `plan_count` int64, and `aum_balance` int64 in AMOUNT_SCALE. `notes` counts the award and loss rows that
    reached no row of the snapshot, by reason.
    """

    lines: pd.DataFrame
    plans: pd.DataFrame
    notes: dict[str, int]


def snapshot(month: int, seen: Seen, *, rules: StatusRules) -> Snapshot:
    """Make the month's two snapshots; raise DataError where amounts are too large to be summed exactly.

    There is a row for every contract that was in force on a day of the year up to the month's end, with what its
    newest version says, and one for every award of the year that is of none of them (`is_award_only`).
    """
    lines, plans = _scenes(month, seen)
    return Snapshot(
        lines=_flagged(lines, rules=rules)[list(LINE_COLUMNS)],
        plans=_flagged(plans, rules=rules)[list(PLAN_COLUMNS)],
        notes=_unplaced(lines),
    )


def why(month: int, seen: Seen, *, rules: StatusRules, company_id: str, product_line_code: str) -> tuple[str, ...]:
    """Say for a customer and product line how every flag of the month came about, its plans' flags included.

    One line a flag, with the verdict of each condition; a single line where the snapshot has no row of them.
    """
    key = {"company_id": company_id, "product_line_code": product_line_code}
    lines, plans = _scenes(month, _only(seen, key))
    if lines.rows.empty:
        return (f"no row in {month_of(month):%Y-%m}: no contract in force this year, and no award",)
    told = list(rules.trace(lines))
    for at, plan in enumerate(plans.rows["plan_code"]):
        told += [f"{plan} {line}" for line in rules.trace(replace(plans, rows=plans.rows.iloc[[at]]))]
    return tuple(told)


def _only(seen: Seen, key: Mapping[str, str]) -> Seen:
    """What is known of one company and product line."""

    def of_key(frame: pd.DataFrame) -> pd.DataFrame:
        of_all = [frame[name].eq(value).to_numpy(dtype=bool, na_value=False) for name, value in key.items()]
        return frame[np.logical_and.reduce(of_all)]

    return Seen(
        versions=of_key(seen.versions),
        facts=of_key(seen.facts),
        before=of_key(seen.before),
        arrivals=of_key(seen.arrivals),
        awards=of_key(seen.awards),
        losses=of_key(seen.losses),
        customers=seen.customers,
    )


def _scenes(month: int, seen: Seen) -> tuple[Scene, Scene]:
    """The rows of both granularities, product lines first, with all that their flags may depend on."""
    contracts = _contracts(month, seen)
    reported = {
        source: _of_year(month, reports, customers=seen.customers)
        for source, reports in ((AWARDS, seen.awards), (LOSSES, seen.losses))
    }

    def scene(rows: pd.DataFrame, granularity: Granularity) -> Scene:
        awarded = _awarded(reported[AWARDS], granularity=granularity)
        return Scene(
            month=month,
            granularity=granularity,
            rows=_with_awards(rows, awarded, keys=granularity.keys),
            contracts=contracts,
            reported=reported,
            facts=seen.facts,
            before=seen.before,
            arrivals=seen.arrivals,
        )

    return scene(_line_rows(contracts), Granularity.PRODUCT_LINE), scene(_plan_rows(contracts), Granularity.PLAN)


def _contracts(month: int, seen: Seen) -> pd.DataFrame:
    """The newest version of each contract in force on a day of the year up to the month's end, with the month's AUM."""
    first, end = _day(month_of(month).replace(month=1)), _month_end(month)
    versions = seen.versions[(seen.versions["valid_from"] <= end) & (seen.versions["valid_to"] > first)]
    newest = versions.sort_values("valid_from", kind="stable").drop_duplicates(list(CONTRACT_KEY), keep="last")
    # Nullable, or contracts without a fact would turn all amounts into doubles.
    held = seen.facts[[*CONTRACT_KEY, "aum"]].astype({"aum": "Int64"}).rename(columns={"aum": "aum_balance"})
    contracts = newest.merge(held, how="left", on=list(CONTRACT_KEY), validate="one_to_one")
    amounts = contracts["aum_balance"].fillna(0).astype("int64")
    _refuse_too_large(amounts, month=month)
    return contracts.assign(aum_balance=amounts, is_in_force=contracts["valid_to"] > end, is_award_only=False)


def _refuse_too_large(amounts: pd.Series, *, month: int) -> None:
    """Raise DataError where a sum of some of the amounts may not fit its 64 bits; the halves' sums always do."""
    high, low = np.divmod(np.abs(amounts.to_numpy()), 2**32)
    total = int(high.sum()) * 2**32 + int(low.sum())
    if total > np.iinfo("int64").max:
        raise DataError(
            f"the amounts of {month_of(month):%Y-%m} are too large to be summed exactly",
            field=MEASURE,
            input_data=f"{total // AMOUNT_SCALE:,} 元 together",
            rule=f"at most {np.iinfo('int64').max // AMOUNT_SCALE:,} 元",
            hint="correct the month's amounts and load it again",
        )


def _line_rows(contracts: pd.DataFrame) -> pd.DataFrame:
    """The contracts taken together by company and product line."""
    groups = contracts.groupby(list(LINE_KEY), as_index=False)
    return groups.agg(
        is_strategic=("is_strategic", "any"),
        is_existing=("is_existing", "any"),
        is_award_only=("is_award_only", "any"),
        aum_balance=("aum_balance", "sum"),
        plan_count=("is_in_force", "sum"),
    )


def _plan_rows(contracts: pd.DataFrame) -> pd.DataFrame:
    status = contracts["contract_status"].astype("string").where(contracts["is_in_force"])
    fields = ["is_strategic", "is_existing", "is_award_only", "aum_balance"]
    return contracts[[*CONTRACT_KEY, *fields]].assign(contract_status=status)


def _awarded(awards: pd.DataFrame, *, granularity: Granularity) -> pd.DataFrame:
    """The distinct keys of the awards that can have a row of their own: a known company, and no stand-in plan."""
    known = awards[awards["is_known"]]
    if granularity is Granularity.PLAN:
        known = known[~known["plan_code"].isin(STAND_IN_PLANS)]
    return known[list(granularity.keys)].dropna().drop_duplicates()


def _with_awards(rows: pd.DataFrame, awarded: pd.DataFrame, *, keys: Sequence[str]) -> pd.DataFrame:
    """The rows and, without money or contract, the awards among none of them; in the order of the keys."""
    alone = awarded[~is_among(awarded, rows, keys=keys)]
    flags = {"is_strategic": False, "is_existing": False, "is_award_only": True, "aum_balance": 0}
    nothing = {"plan_count": 0} if "plan_count" in rows else {"contract_status": pd.NA}
    added = alone.assign(**flags, **nothing).astype(rows.dtypes.to_dict())
    return pd.concat([rows, added[rows.columns]]).sort_values(list(keys), ignore_index=True)


def _flagged(scene: Scene, *, rules: StatusRules) -> pd.DataFrame:
    day = np.datetime64(_month_end(scene.month), "s")
    return scene.rows.assign(snapshot_month=day, **rules.flags(scene))


def _of_year(month: int, reports: pd.DataFrame, *, customers: pd.Series) -> pd.DataFrame:
    """The reports of the month's year that are not later than the month; a blank key is a missing one.

    `is_known` tells whether 客户明细 has the company.
    """
    reports = reports[(reports["month"] // 12 == month // 12) & (reports["month"] <= month)]
    keys = {name: reports[name].astype("string").str.strip() for name in CONTRACT_KEY}
    reports = reports.assign(**{name: texts.mask(texts.eq("")) for name, texts in keys.items()})
    known = customers.astype("string").to_frame("company_id")
    return reports.assign(is_known=is_among(reports, known, keys=["company_id"]))


def _unplaced(lines: Scene) -> dict[str, int]:
    """The award and loss rows that reached no row of the snapshot, by reason; none where every row did."""
    notes: dict[str, int] = {}
    for source, reports in lines.reported.items():
        reasons = np.select(
            [
                is_among(reports, lines.rows, keys=LINE_KEY),
                reports["company_id"].isna(),
                ~reports["is_known"],
                reports["product_line_code"].isna(),
            ],
            ["", "no company_id", "a company that 客户明细 does not have", "no 产品线代码"],
            "no contract or award of the company and product line",
        )
        counts = pd.Series(reasons[reasons != ""], dtype="string").value_counts().sort_index()
        notes |= {f"{source}: {reason}": int(rows) for reason, rows in counts.items()}
    return notes


def _month_end(month: int) -> pd.Timestamp:
    return _day(month_of(month + 1)) - pd.Timedelta(days=1)


def _day(day: date) -> pd.Timestamp:
    return pd.Timestamp(day).as_unit("s")
