"""What the registry answered is kept: searches of all names, companies raw and cleaned, entries of the index."""

import threading
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.registry_answers import CompanyAnswer, NameAnswer, nothing_found, parse_search
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.io.company_rows import as_jsonb, write_companies
from work_data_hub.io.identity_index import IndexEffect
from work_data_hub.io.postgres import Connection, connect, transaction
from work_data_hub.io.registry_store import RegistryEffect, record_answers

RULES = IdentityRules()
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NAME = "长安电力股份有限公司"


def item(company_id: str = "600001", name: str = NAME, kind: str = "全称精确匹配", **more: Any) -> dict[str, Any]:
    return {"companyId": company_id, "companyFullName": name, "type": kind, "unite_code": "91X", "_score": 9.5, **more}


def answer(name: str, *items: dict[str, Any], detail: Any = None, labels: Any = None) -> NameAnswer:
    """What the client makes of a search's answer and of the two that follow it."""
    search = parse_search({"list": list(items)}, name=normalise_name(name), searched_name=name, rules=RULES)
    if search.best is None or not search.outcome.is_taken:
        return NameAnswer(search=search, company=None)
    company = CompanyAnswer(
        company_id=search.best.company_id, search=search.best.raw, detail=detail, labels=labels, fetched_at=NOW
    )
    return NameAnswer(search=search, company=company)


def record(warehouse: Connection, *answers: NameAnswer, rules: IdentityRules = RULES) -> RegistryEffect:
    with transaction(warehouse), warehouse.cursor() as cursor:
        return record_answers(cursor, answers, rules=rules, domain="annuity_performance", now=NOW)


def rows(warehouse: Connection, statement: str) -> list[tuple[Any, ...]]:
    with warehouse.cursor() as cursor:
        cursor.execute(statement)
        found = cursor.fetchall()
    warehouse.rollback()
    return found


def entries(warehouse: Connection, kind: str = "customer_name") -> list[tuple[Any, ...]]:
    return [
        row[1:]
        for row in rows(
            warehouse,
            "select lookup_type, lookup_key, company_id, confidence from enterprise.enrichment_index order by 1, 2",
        )
        if row[0] == kind
    ]


def labels(*names: str) -> dict[str, Any]:
    return {"labels": [{"type": "行业", "labels": [{"lv1Name": name} for name in names]}]}


@pytest.mark.integration
def test_an_accepted_match_is_kept_raw_cleaned_and_indexed(warehouse: Connection) -> None:
    detail = {"businessInfodto": {"registerCaptial": "1,000万元", "collegues_num": "少于50人"}}

    effect = record(warehouse, answer(NAME, item(), detail=detail, labels=labels("金融")))

    assert (effect.searches, effect.companies, effect.business_infos, effect.labels) == (1, 1, 1, 1)
    assert rows(
        warehouse,
        "select company_id, company_full_name, search_key_word, unite_code, reg_cap, data_source, api_fetched_at,"
        " raw_data->>'companyId', raw_business_info->'businessInfodto'->>'collegues_num',"
        " raw_biz_label->'labels'->0->>'type' from enterprise.base_info",
    ) == [("600001", NAME, NAME, "91X", Decimal("10000000.00"), "search", NOW, "600001", "少于50人", "行业")]
    assert rows(warehouse, "select registered_capital, colleagues_num from enterprise.business_info") == [
        (Decimal("10000000.00"), 50)
    ]
    assert rows(warehouse, "select company_id, type, lv1_name, lv2_name from enterprise.biz_label") == [
        ("600001", "行业", "金融", None)
    ]
    assert entries(warehouse) == [(NAME, "600001", Decimal("1.00"))]
    assert rows(
        warehouse, "select source, source_domain, source_table, expires_at from enterprise.enrichment_index"
    ) == [("eqc_api", "annuity_performance", "enterprise.base_info", None)]


@pytest.mark.integration
def test_each_name_keeps_what_its_search_came_to(warehouse: Connection) -> None:
    record(
        warehouse,
        answer(NAME, item()),
        answer("长安电力", item(kind="模糊匹配")),
        answer("长安申力", item(kind="拼音", name="长安申利公司"), item("600002", kind="拼音", name="长安神力公司")),
        NameAnswer(search=nothing_found("没有这家公司", searched_name="没有这家公司"), company=None),
    )

    assert rows(
        warehouse,
        "select normalized_name, outcome, company_id, confidence, jsonb_array_length(candidates), asked_at"
        " from enterprise.registry_searches order by confidence desc nulls last",
    ) == [
        (NAME, "accepted", "600001", Decimal("1.00"), 1, NOW),
        ("长安电力", "review", "600001", Decimal("0.80"), 1, NOW),
        ("长安申力", "review", "600001", Decimal("0.60"), 2, NOW),
        ("没有这家公司", "not_found", None, None, 0, NOW),
    ]
    assert rows(
        warehouse,
        "select candidates->1->>'company_id', candidates->1->>'name', candidates->1->>'confidence'"
        " from enterprise.registry_searches where normalized_name = '长安申力'",
    ) == [("600002", "长安神力公司", "0.6")]


@pytest.mark.integration
def test_an_uncertain_match_leaves_only_its_search(warehouse: Connection) -> None:
    rules = replace(RULES, match_confidence={"拼音": 0.5})
    search = parse_search({"list": [item(kind="拼音")]}, name="长安", searched_name="长安", rules=rules)

    effect = record(warehouse, NameAnswer(search=search, company=None), rules=rules)

    assert rows(warehouse, "select outcome from enterprise.registry_searches") == [("uncertain",)]
    assert (effect.companies, effect.names) == (0, IndexEffect())
    assert rows(warehouse, "select count(*) from enterprise.base_info") == [(0,)]
    assert entries(warehouse) == []


@pytest.mark.integration
def test_former_names_are_indexed_a_little_less_sure(warehouse: Connection) -> None:
    former = f"长安热电厂，西京电力有限公司；(原)渭水电力、{NAME}"

    record(warehouse, answer("长安电力", item(kind="模糊匹配", company_former_name=former)))

    assert entries(warehouse, "former_name") == [
        ("渭水电力", "600001", Decimal("0.72")),
        ("西京电力有限公司", "600001", Decimal("0.72")),
        ("长安热电厂", "600001", Decimal("0.72")),
    ]


@pytest.mark.integration
def test_entries_expire_when_the_rules_say_so(warehouse: Connection) -> None:
    record(warehouse, answer(NAME, item(company_former_name="旧名公司")), rules=replace(RULES, registry_days=30))

    assert rows(warehouse, "select distinct expires_at from enterprise.enrichment_index") == [
        (NOW + timedelta(days=30),)
    ]


@pytest.mark.integration
def test_what_a_later_answer_leaves_open_stays(warehouse: Connection) -> None:
    detail = {"businessInfodto": {"legal_person_name": "王芳"}}
    record(warehouse, answer(NAME, item(smdb_code="S1"), detail=detail, labels=labels("金融")))

    record(warehouse, answer(NAME, item(unite_code="92X")))

    assert rows(
        warehouse,
        "select smdb_code, unite_code, le_rep, raw_business_info->'businessInfodto'->>'legal_person_name'"
        " from enterprise.base_info",
    ) == [("S1", "92X", "王芳", "王芳")]
    assert rows(warehouse, "select legal_person_name from enterprise.business_info") == [("王芳",)]
    assert rows(warehouse, "select lv1_name from enterprise.biz_label") == [("金融",)]


@pytest.mark.integration
def test_labels_that_were_answered_replace_the_old_ones(warehouse: Connection) -> None:
    record(warehouse, answer(NAME, item(), labels=labels("金融", "保险")))

    record(warehouse, answer(NAME, item(), labels=labels("科技")))

    assert rows(warehouse, "select lv1_name from enterprise.biz_label") == [("科技",)]


@pytest.mark.integration
def test_names_of_one_company_make_one_row_of_it(warehouse: Connection) -> None:
    effect = record(
        warehouse,
        answer("长安电力", item(kind="模糊匹配")),
        answer(NAME, item(), detail={"businessInfodto": {"legal_person_name": "王芳"}}),
        answer(NAME, item()),
    )

    assert (effect.searches, effect.companies) == (2, 1)
    assert rows(warehouse, "select search_key_word, le_rep from enterprise.base_info") == [(NAME, "王芳")]


@pytest.mark.integration
def test_recording_again_changes_nothing_but_times(warehouse: Connection) -> None:
    given = answer(NAME, item(company_former_name="旧名公司"), labels=labels("金融"))
    counts = "select (select count(*) from enterprise.base_info), (select count(*) from enterprise.biz_label)"
    record(warehouse, given)
    before = (rows(warehouse, counts), entries(warehouse), entries(warehouse, "former_name"))

    record(warehouse, given)

    assert (rows(warehouse, counts), entries(warehouse), entries(warehouse, "former_name")) == before


@pytest.mark.integration
def test_no_answers_write_nothing(warehouse: Connection) -> None:
    assert record(warehouse).searches == 0


@pytest.mark.integration
def test_what_postgresql_cannot_hold_does_not_stop_the_rest(warehouse: Connection) -> None:
    odd = item(name_display="甲\x00乙\ud800", note="C:\\u0000", share=float("nan"), coname="长" * 300)

    record(warehouse, answer(NAME, odd, detail={"businessInfodto": {"legal_person_name": "王\x00芳"}}))

    assert rows(
        warehouse,
        "select name_display, coname, raw_data->>'note', raw_data->'share', length(raw_data->>'coname')"
        " from enterprise.base_info",
    ) == [("甲乙", None, "C:\\u0000", None, 300)]


@pytest.mark.integration
def test_a_rolled_back_load_leaves_no_answer(warehouse: Connection) -> None:
    with warehouse.cursor() as cursor:
        record_answers(cursor, [answer(NAME, item())], rules=RULES, domain=None, now=NOW)
    warehouse.rollback()

    assert rows(warehouse, "select count(*) from enterprise.registry_searches") == [(0,)]
    assert rows(warehouse, "select count(*) from enterprise.base_info") == [(0,)]


@pytest.mark.integration
def test_writers_in_opposite_orders_do_not_lock_each_other_out(warehouse: Connection, warehouse_url: str) -> None:
    given = [
        CompanyAnswer(company_id=f"6{number}", search=item(f"6{number}"), detail=None, labels=None, fetched_at=NOW)
        for number in range(1000, 1400)
    ]
    failures: list[BaseException] = []

    def write(answers: list[CompanyAnswer]) -> None:
        try:
            with closing(connect(warehouse_url)) as connection:
                for _ in range(10):
                    with transaction(connection), connection.cursor() as cursor:
                        write_companies(cursor, answers, searched={}, data_source="refresh")
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=write, args=(order,)) for order in (given, given[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert rows(warehouse, "select count(*) from enterprise.base_info") == [(400,)]


@pytest.mark.unit
@pytest.mark.parametrize(
    ("payload", "text"),
    [
        (None, None),
        ({"a": "甲\x00"}, '{"a": "\\u7532"}'),
        ({"a": "\ud800x"}, '{"a": "x"}'),
        ({"a": "😀"}, '{"a": "\\ud83d\\ude00"}'),
        ({"a": "\\u0000"}, '{"a": "\\\\u0000"}'),
        ({"a": float("inf"), "b": "NaN"}, '{"a": null, "b": "NaN"}'),
    ],
)
def test_json_is_what_jsonb_takes(payload: Any, text: str | None) -> None:
    assert as_jsonb(payload) == text
