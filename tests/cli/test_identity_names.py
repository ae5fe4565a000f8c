"""`wdh identity names` and `wdh identity unknown` as people and machines use them."""

import csv
from pathlib import Path

import psycopg2
import pytest
from tests.hub import Hub

from work_data_hub.domain.identity.names import NORMALISER_VERSION, RULES
from work_data_hub.domain.identity.temporary import temporary_id


def add(hub: Hub, *names: str, month: str = "2024-10-01", assets: str = "1.5000") -> None:
    """Facts of customers that nobody knows."""
    connection = psycopg2.connect(hub.url)
    with connection, connection.cursor() as cursor:
        for name in names:
            cursor.execute(
                "insert into business.规模明细 (月度, 计划代码, 客户名称, 年金账户名, company_id, 期末资产规模)"
                " values (%s, 'P1', %s, %s, %s, %s)",
                (month, name, name, temporary_id(name, salt="test"), assets),
            )
    connection.close()


@pytest.mark.integration
def test_the_rules_are_listed_in_order_without_a_database(hub: Hub) -> None:
    answer = hub.wdh("identity", "names", DATABASE_URL="")

    first, *lines = answer.stdout.splitlines()
    assert (answer.code, first) == (0, f"name normaliser, version {NORMALISER_VERSION}")
    assert [line.split()[0] for line in lines[:-1]] == [str(at) for at in range(1, len(RULES) + 1)]
    assert all(rule.says in answer.stdout for rule in RULES)


@pytest.mark.integration
def test_names_are_shown_with_their_form_and_what_made_it(hub: Hub) -> None:
    lines = hub.wdh("identity", "names", "甲公司(团托)", "乙公司", "空白").stdout.splitlines()

    assert [line.split(None, 2) for line in lines[2:]] == [
        ["甲公司(团托)", "甲公司", "width, account suffix"],
        ["乙公司", "乙公司", "nothing"],
        ["空白", "(no", "name)  placeholder"],
    ]


@pytest.mark.integration
def test_names_as_a_document(hub: Hub) -> None:
    report = hub.wdh("identity", "names", "甲公司-1", "无", "--report", "json").report

    assert (report["version"], len(report["rules"])) == (NORMALISER_VERSION, len(RULES))
    assert report["names"] == [
        {"written": "甲公司-1", "form": "甲公司", "changed_by": ["account suffix"]},
        {"written": "无", "form": None, "changed_by": ["placeholder"]},
    ]


@pytest.mark.integration
def test_unknown_names_are_listed_the_most_frequent_first(hub: Hub) -> None:
    add(hub, "甲公司", "乙公司", "乙公司")

    answer = hub.wdh("identity", "unknown")

    first, titles, *lines = answer.stdout.splitlines()
    assert first == "2 names behind temporary ids, 3 rows"
    assert titles.split() == ["name", "temporary", "id", "since", "rows", "assets", "元", "domains"]
    assert lines[0].split() == [
        *("乙公司", temporary_id("乙公司", salt="test"), "2024-10", "2", "3.00", "annuity_performance")
    ]
    assert lines[1].split()[0] == "甲公司"


@pytest.mark.integration
def test_a_long_list_is_cut_and_says_how_to_see_all(hub: Hub) -> None:
    add(hub, *(f"甲{number}公司" for number in range(25)))

    assert "… and 5 more: --csv FILE or --xlsx FILE" in hub.wdh("identity", "unknown").stdout
    assert len(hub.wdh("identity", "unknown", "--report", "json").report["names"]) == 25


@pytest.mark.integration
def test_unknown_names_go_to_a_file_and_nothing_into_the_warehouse(hub: Hub, tmp_path: Path) -> None:
    add(hub, "甲公司", "=1+1")
    add(hub, "乙公司", month="2024-09-01")
    before, path = hub.contents(), tmp_path / "names.csv"

    answer = hub.wdh("identity", "unknown", "--period", "202410", "--csv", str(path), "--report", "json")

    assert (answer.code, answer.report["path"]) == (0, str(path))
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["company_name"] for row in rows] == ["'=1+1", "甲公司"]
    assert (rows[1]["first_seen"], rows[1]["closing_assets"], rows[1]["first_queued_at"]) == (
        "2024-10-01",
        "1.5000",
        "",
    )
    assert hub.contents() == before


@pytest.mark.integration
def test_amounts_and_days_of_the_document_are_texts(hub: Hub) -> None:
    add(hub, "甲公司", assets="12345678901234.5678")

    (told,) = hub.wdh("identity", "unknown", "--report", "json").report["names"]

    assert told == {
        "company_name": "甲公司",
        "temporary_id": temporary_id("甲公司", salt="test"),
        "first_seen": "2024-10-01",
        "occurrence_count": 1,
        "normalized_name": "甲公司",
        "last_seen": "2024-10-01",
        "closing_assets": "12345678901234.5678",
        "domains": "annuity_performance",
        "first_queued_at": None,
    }


@pytest.mark.integration
def test_no_unknown_names_are_said_to_be_none(hub: Hub, tmp_path: Path) -> None:
    path = tmp_path / "names.xlsx"

    assert hub.wdh("identity", "unknown").stdout == "no name stands behind a temporary id\n"
    assert (hub.wdh("identity", "unknown", "--xlsx", str(path)).code, path.is_file()) == (0, True)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("names", "--report", "xml"), "text or json"),
        (("unknown", "--report", "xml"), "text or json"),
        (("unknown", "--csv", "a", "--xlsx", "b"), "one file at a time"),
        (("unknown", "--domain", "annual_wards"), "did you mean 'annual_award'"),
        (("unknown", "--period", "2024"), "YYYYMM"),
        (("unknown", "--csv", "missing/names.csv"), "cannot be written"),
    ],
)
def test_what_cannot_be_done_is_a_wrong_use(hub: Hub, arguments: tuple[str, ...], words: str) -> None:
    answer = hub.wdh("identity", *arguments)

    assert (answer.code, answer.stdout) == (2, "")
    assert words in answer.stderr
