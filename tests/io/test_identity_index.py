"""The index in a real database: one query, the surer entry wins, ambiguous former names, expiry, counters."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import psycopg2
import pytest

from work_data_hub.domain.identity.knowledge import KeyKind
from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.io.identity_index import IndexEffect, count_hits, look_up, write_entries, write_former_names
from work_data_hub.io.postgres import Connection

pytestmark = pytest.mark.integration


def entries(*given: tuple[str, str, str, float]) -> pd.DataFrame:
    return pd.DataFrame(list(given), columns=["kind", "key", "company_id", "confidence"]).assign(source="backflow")


def write(warehouse: Connection, *given: tuple[str, str, str, float], **options: datetime) -> IndexEffect:
    with warehouse.cursor() as cursor:
        return write_entries(cursor, entries(*given), domain="annuity_performance", table=None, **options)


def known(warehouse: Connection, *keys: tuple[str, str]) -> dict[str, str]:
    asked = pd.DataFrame(list(keys), columns=["kind", "key"])
    found = look_up(warehouse, asked, searched_days=30).entries
    return dict(zip(found["key"], found["company_id"], strict=True))


def test_entries_are_found_by_kind_and_key(warehouse: Connection) -> None:
    write(warehouse, ("customer_name", "甲", "1", 0.85), ("plan_code", "甲", "2", 0.95))

    assert known(warehouse, ("plan_code", "甲"), ("customer_name", "乙")) == {"甲": "2"}


def test_only_a_surer_entry_replaces_one_that_is_there(warehouse: Connection) -> None:
    assert write(warehouse, ("customer_name", "甲", "1", 0.85)) == IndexEffect(inserted=1)
    assert write(warehouse, ("customer_name", "甲", "2", 0.85)) == IndexEffect(kept=1)
    assert known(warehouse, ("customer_name", "甲")) == {"甲": "1"}
    assert write(warehouse, ("customer_name", "甲", "2", 0.9)) == IndexEffect(replaced=1)
    assert known(warehouse, ("customer_name", "甲")) == {"甲": "2"}


def test_an_expired_entry_is_not_known_and_gives_way(warehouse: Connection) -> None:
    past = datetime.now(UTC) - timedelta(days=1)
    write(warehouse, ("customer_name", "甲", "1", 1.0), expires_at=past)

    assert known(warehouse, ("customer_name", "甲")) == {}
    assert write(warehouse, ("customer_name", "甲", "2", 0.6)) == IndexEffect(replaced=1)
    assert known(warehouse, ("customer_name", "甲")) == {"甲": "2"}


def test_a_former_name_of_two_companies_says_nothing_for_good(warehouse: Connection) -> None:
    former = KeyKind.FORMER_NAME.value
    with warehouse.cursor() as cursor:
        for company in ("1", "2", "3"):
            write_former_names(cursor, entries((former, "旧名", company, 0.9)), domain=None, table=None)
        write_former_names(cursor, entries((former, "甲", "1", 0.9), (former, "甲", "2", 0.9)), domain=None, table=None)
        write_former_names(cursor, entries((former, "乙", "1", 0.9)), domain=None, table=None)

    assert known(warehouse, (former, "旧名"), (former, "甲"), (former, "乙")) == {"乙": "1"}


def test_entries_of_another_normaliser_are_not_known_but_plan_codes_are(warehouse: Connection) -> None:
    write(warehouse, ("customer_name", "甲", "1", 1.0), ("plan_code", "S1", "1", 1.0))
    with warehouse.cursor() as cursor:
        cursor.execute("update enterprise.enrichment_index set normaliser_version = %s", (NORMALISER_VERSION - 1,))

    assert known(warehouse, ("customer_name", "甲"), ("plan_code", "S1")) == {"S1": "1"}
    assert write(warehouse, ("customer_name", "甲", "2", 0.6)) == IndexEffect(replaced=1)


def test_hits_are_added_to_what_was_counted(warehouse: Connection) -> None:
    write(warehouse, ("customer_name", "甲", "1", 1.0), ("customer_name", "乙", "1", 1.0))
    with warehouse.cursor() as cursor:
        cursor.execute("select id from enterprise.enrichment_index where lookup_key = '甲'")
        (entry,) = cursor.fetchone() or (0,)
        for _ in range(2):
            count_hits(cursor, pd.DataFrame({"entry_id": [entry], "rows": [7]}))
        cursor.execute("select lookup_key, hit_count from enterprise.enrichment_index order by 2 desc")
        assert cursor.fetchall() == [("甲", 14), ("乙", 0)]


def test_decisions_of_the_names_and_every_merge_come_along(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.identity_decisions"
            " (kind, normalized_name, from_company, to_company, reason, actor, undone_at, undone_by) values"
            " ('choose', '甲', null, '1', 'r', 'a', null, null), ('choose', '乙', null, '1', 'r', 'a', null, null),"
            " ('merge', null, '5', '6', 'r', 'a', null, null), ('merge', null, '7', '8', 'r', 'a', now(), 'b')"
        )
    found = look_up(warehouse, pd.DataFrame({"kind": ["customer_name"], "key": ["甲"]}), searched_days=30)

    assert found.decisions[["kind", "name", "to_company"]].astype(object).where(
        found.decisions[["kind", "name", "to_company"]].notna(), None
    ).to_numpy().tolist() == [["choose", "甲", "1"], ["merge", None, "6"]]
    assert found.aliases() == {"5": "6"}


def test_names_searched_lately_in_vain_come_along_until_they_are_old(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.registry_searches"
            " (normalized_name, normaliser_version, searched_name, outcome, company_id, asked_at)"
            " select name, %(v)s, name, outcome, company, now() - make_interval(days => days) from (values"
            " ('甲', 'not_found', null, 0), ('乙', 'uncertain', '1', 0), ('丙', 'accepted', '1', 0),"
            " ('丁', 'not_found', null, 31)) as searched (name, outcome, company, days)",
            {"v": NORMALISER_VERSION},
        )
    asked = pd.DataFrame({"kind": ["customer_name"] * 4, "key": list("甲乙丙丁")})

    assert look_up(warehouse, asked, searched_days=30).searched == {"甲", "乙"}


def decide(warehouse: Connection, kind: str, name: str, *companies: str | None) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute(
            "insert into enterprise.identity_decisions"
            " (kind, normalized_name, from_company, to_company, reason, actor) values (%s, %s, %s, %s, 'r', 'a')",
            (kind, name, *companies),
        )


@pytest.mark.parametrize(
    ("kind", "companies", "still"),
    [
        ("reject", ("1", None), {}),
        ("split", ("1", "2"), {}),
        ("choose", (None, "2"), {}),
        ("accept", (None, "1"), {"S1": "1"}),
        ("reject", ("3", None), {"S1": "1"}),
    ],
)
def test_what_a_plan_was_learned_by_goes_with_the_name_it_came_from(
    warehouse: Connection, kind: str, companies: tuple[str | None, str | None], still: dict[str, str]
) -> None:
    write(warehouse, ("plan_code", "S1", "1", 0.95), ("plan_customer", "S1|甲", "1", 0.9))
    decide(warehouse, kind, "甲", *companies)

    assert known(warehouse, ("plan_code", "S1")) == still


def test_a_plan_that_another_name_tells_of_too_stays_known(warehouse: Connection) -> None:
    taught = (
        ("plan_code", "S1", "1", 0.95),
        ("plan_customer", "S1|甲", "1", 0.9),
        ("plan_customer", "S1|乙", "1", 0.9),
    )
    write(warehouse, *taught)
    decide(warehouse, "reject", "甲", "1", None)

    assert known(warehouse, ("plan_code", "S1")) == {"S1": "1"}


@pytest.mark.parametrize(
    "wrong",
    [
        ("customer_name", "", "1", 1.0),
        ("account_name", "甲", "1", 1.0),
        ("customer_name", "甲", "IN" + "A" * 16, 1.0),
        ("customer_name", "甲", "1", 1.5),
    ],
)
def test_the_database_refuses_entries_that_cannot_be(warehouse: Connection, wrong: tuple[str, str, str, float]) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation):
        write(warehouse, wrong)
