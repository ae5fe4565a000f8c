"""What users tell each other about customers, month by month, from facts and reports to the flags of the snapshots.

Every text has a place for each month: December, the twelve months of the year, January. In `money` and `plans`
`.` is no fact, `0` a fact without money, `1` a million, `9` six hundred million. In what is expected `.` is no or
not there, `X` yes, `n` 正常, `s` 停缴. A flag that a case does not name never holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pytest
from tests.customer_seen import PLAN, Fact, Report, facts_frame, seen
from tests.customer_seen import number as number_of

from work_data_hub.domain.customers.snapshots import LINE_COLUMNS, PLAN_COLUMNS, snapshot
from work_data_hub.io.status_rules_config import load_status_rules

pytestmark = pytest.mark.unit

MONTHS = ("202312", *(f"2024{month:02d}" for month in range(1, 13)), "202501")
AMOUNTS = {"0": 0, "1": 1_000_000, "9": 600_000_000}
LETTERS = {"正常": "n", "停缴": "s", "True": "X", "False": "."}
STATUS_RULES = load_status_rules(Path(__file__).parents[2] / "config")
NEVER = "." * len(MONTHS)
WHOLE_YEAR = ".XXXXXXXXXXXX."

Months = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A customer's two years: what is in the facts by plan, what is reported, and what the snapshots say."""

    name: str
    money: Months = field(default_factory=dict)
    awards: tuple[Report, ...] = ()
    losses: tuple[Report, ...] = ()
    line: Months
    plans: Mapping[str, Months] = field(default_factory=dict)

    def facts(self) -> pd.DataFrame:
        return facts_frame(
            Fact(month=month, plan=plan, amount=AMOUNTS[letter], paid=min(AMOUNTS[letter], 1))
            for plan, letters in self.money.items()
            for month, letter in zip(MONTHS, letters, strict=True)
            if letter != "."
        )


CASES = (
    Case(
        name="won in January, first money in March",
        #             DJFMAMJJASONDJ
        money={PLAN: "...11111111111"},
        awards=(Report(month="202401", plan=PLAN),),
        line={
            "there": ".XXXXXXXXXXXXX",
            "is_award_only": ".XX...........",
            "is_winning_this_year": WHOLE_YEAR,
            "is_new": WHOLE_YEAR,
            "is_new_arrival": "...X..........",
            "is_existing": ".............X",
            "plan_count": ".0011111111111",
        },
        plans={
            PLAN: {
                "there": ".XXXXXXXXXXXXX",
                "is_award_only": ".XX...........",
                "is_winning_this_year": WHOLE_YEAR,
                "is_existing": ".............X",
                "contract_status": "...nnnnnnnnnnn",
            }
        },
    ),
    Case(
        name="won in January and never landed",
        awards=(Report(month="202401"),),
        line={
            "there": WHOLE_YEAR,
            "is_award_only": WHOLE_YEAR,
            "is_winning_this_year": WHOLE_YEAR,
            "is_new": WHOLE_YEAR,
        },
    ),
    Case(
        name="won in February, lost in June, never landed",
        awards=(Report(month="202402", plan=PLAN),),
        losses=(Report(month="202406", plan=PLAN),),
        #                             DJFMAMJJASONDJ
        line={
            "there": "..XXXXXXXXXXX.",
            "is_award_only": "..XXXXXXXXXXX.",
            "is_winning_this_year": "..XXXXXXXXXXX.",
            "is_loss_reported": "......XXXXXXX.",
            "is_new": "..XXXXXXXXXXX.",
        },
        plans={
            PLAN: {
                "there": "..XXXXXXXXXXX.",
                "is_award_only": "..XXXXXXXXXXX.",
                "is_winning_this_year": "..XXXXXXXXXXX.",
                "is_loss_reported": "......XXXXXXX.",
            }
        },
    ),
    Case(
        name="an existing customer wins again in June, of no plan",
        #             DJFMAMJJASONDJ
        money={PLAN: "11111111111111"},
        awards=(Report(month="202406", plan="AN001"),),
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_winning_this_year": "......XXXXXXX.",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXXX",
        },
        plans={PLAN: {"there": "XXXXXXXXXXXXXX", "is_existing": ".XXXXXXXXXXXXX", "contract_status": "nnnnnnnnnnnnnn"}},
    ),
    Case(
        name="loss reported in June while money remains",
        #             DJFMAMJJASONDJ
        money={PLAN: "11111111111111"},
        losses=(Report(month="202406", plan=PLAN),),
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_loss_reported": "......XXXXXXX.",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXXX",
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXXX",
                "is_loss_reported": "......XXXXXXX.",
                "is_existing": ".XXXXXXXXXXXXX",
                "contract_status": "nnnnnnnnnnnnnn",
            }
        },
    ),
    Case(
        name="gone in September",
        #             DJFMAMJJASONDJ
        money={PLAN: "111111111....."},
        line={
            "there": "XXXXXXXXXXXXX.",
            "is_churned_this_year": ".........XXXX.",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXX.",
            "plan_count": "1111111110000.",
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXX.",
                "is_churned_this_year": ".........XXXX.",
                "is_existing": ".XXXXXXXXXXXX.",
                "contract_status": "nnnnnnnnn.....",
            }
        },
    ),
    Case(
        name="gone with the first month of the year",
        #             DJFMAMJJASONDJ
        money={PLAN: "1............."},
        line={
            "there": "XXXXXXXXXXXXX.",
            "is_churned_this_year": WHOLE_YEAR,
            "is_new_arrival": "X.............",
            "is_existing": WHOLE_YEAR,
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXX.",
                "is_churned_this_year": WHOLE_YEAR,
                "is_existing": WHOLE_YEAR,
                "contract_status": "n.............",
            }
        },
    ),
    Case(
        name="without money from September on, but in the facts",
        #             DJFMAMJJASONDJ
        money={PLAN: "11111111100000"},
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_churned_this_year": ".........XXXXX",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXX.",
            "plan_count": "11111111111111",
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXXX",
                "is_churned_this_year": ".........XXXXX",
                "is_existing": ".XXXXXXXXXXXX.",
                "contract_status": "nnnnnnnnnsssss",
            }
        },
    ),
    Case(
        name="in the facts from February, first money in May",
        #             DJFMAMJJASONDJ
        money={PLAN: "..000111111111"},
        line={
            "there": "..XXXXXXXXXXXX",
            "is_churned_this_year": "..XXX.........",
            "is_new_arrival": ".....X........",
            "is_existing": ".............X",
        },
        plans={
            PLAN: {
                "there": "..XXXXXXXXXXXX",
                "is_churned_this_year": "..XXX.........",
                "is_existing": ".............X",
                "contract_status": "..sssnnnnnnnnn",
            }
        },
    ),
    Case(
        name="strategic in May, below the threshold in August, judged anew next year",
        #             DJFMAMJJASONDJ
        money={PLAN: "11111999111111"},
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_strategic": ".....XXXXXXXX.",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXXX",
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXXX",
                "is_strategic": ".....XXXXXXXX.",
                "is_existing": ".XXXXXXXXXXXXX",
                "contract_status": "nnnnnnnnnnnnnn",
            }
        },
    ),
    Case(
        name="strategic in December, which locks the next year",
        #             DJFMAMJJASONDJ
        money={PLAN: "11111111111191"},
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_strategic": "............XX",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXXX",
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXXX",
                "is_strategic": "............XX",
                "is_existing": ".XXXXXXXXXXXXX",
                "contract_status": "nnnnnnnnnnnnnn",
            }
        },
    ),
    Case(
        name="back after a gap",
        #             DJFMAMJJASONDJ
        money={PLAN: "1111...1111111"},
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_churned_this_year": "....XXX.......",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXXX",
            "plan_count": "11110001111111",
        },
        plans={
            PLAN: {
                "there": "XXXXXXXXXXXXXX",
                "is_churned_this_year": "....XXX.......",
                "is_existing": ".XXXXXXXXXXXXX",
                "contract_status": "nnnn...nnnnnnn",
            }
        },
    ),
    Case(
        name="two plans of one line, the bigger one gone in September after its loss was reported",
        #             DJFMAMJJASONDJ
        money={PLAN: "11111111111111", "P2": "999999999....."},
        losses=(Report(month="202408", plan="P2"),),
        line={
            "there": "XXXXXXXXXXXXXX",
            "is_strategic": "XXXXXXXXXXXXX.",
            "is_loss_reported": "........XXXXX.",
            "is_new_arrival": "X.............",
            "is_existing": ".XXXXXXXXXXXXX",
            "plan_count": "22222222211111",
        },
        plans={
            PLAN: {"there": "XXXXXXXXXXXXXX", "is_existing": ".XXXXXXXXXXXXX", "contract_status": "nnnnnnnnnnnnnn"},
            "P2": {
                "there": "XXXXXXXXXXXXX.",
                "is_strategic": "XXXXXXXXXXXXX.",
                "is_loss_reported": "........XXXXX.",
                "is_churned_this_year": ".........XXXX.",
                "is_existing": ".XXXXXXXXXXXX.",
                "contract_status": "nnnnnnnnn.....",
            },
        },
    ),
)


def told(rows: list[pd.DataFrame], columns: tuple[str, ...]) -> dict[str, str]:
    """For every flag the letters of the months; of a month that has no row a dot."""
    letters = {"there": "".join("X" if len(month) else "." for month in rows)}
    for name in columns:
        if name.startswith("is_") or name in ("contract_status", "plan_count"):
            letters[name] = "".join(letter(month, name) for month in rows)
    return letters


def letter(month: pd.DataFrame, name: str) -> str:
    if month.empty or pd.isna(month[name].iloc[0]):
        return "."
    value = str(month[name].iloc[0])
    return LETTERS.get(value, value)


def expected(given: Months, columns: tuple[str, ...], *, counts: str = NEVER) -> dict[str, str]:
    flags = dict.fromkeys([name for name in columns if name.startswith("is_")], NEVER)
    extra = {"plan_count": counts} if "plan_count" in columns else {"contract_status": NEVER}
    return flags | extra | dict(given)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_every_month_of_the_year_is_as_told(case: Case) -> None:
    facts = case.facts()
    months = [
        snapshot(
            number_of(month),
            seen(month, facts, months=MONTHS, awards=case.awards, losses=case.losses),
            rules=STATUS_RULES,
        )
        for month in MONTHS
    ]
    lines = told([month.lines for month in months], LINE_COLUMNS)
    plans = sorted({plan for month in months for plan in month.plans["plan_code"]})
    by_plan = {
        plan: told([month.plans[month.plans["plan_code"] == plan] for month in months], PLAN_COLUMNS) for plan in plans
    }
    assert lines == expected(case.line, LINE_COLUMNS, counts=lines["plan_count"])
    assert by_plan == {plan: expected(given, PLAN_COLUMNS) for plan, given in case.plans.items()}
