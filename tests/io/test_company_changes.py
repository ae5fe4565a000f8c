"""Facts and what follows from them brought to the companies that are known and decided by now."""

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.changing_companies import AWARD, INCOME, LOSS, PERFORMANCE, Ledger, temporary
from tests.domain.domain_rows import CONFIG

from work_data_hub.domain.identity.names import NORMALISER_VERSION
from work_data_hub.domain.spec import Domain
from work_data_hub.errors import WarehouseError

pytestmark = pytest.mark.integration

A, B, C, D = "600000001", "600000002", "600000003", "600000004"
NAME, OTHER = "平安科技有限公司", "泰康人寿有限公司"
T, T_OTHER = temporary(NAME), temporary(OTHER)
UNNAMED: dict[str, Any] = {"计划代码": "P1", "计划类型": "集合计划", "客户名称": None}
"""Of such rows nothing but the id that came with them tells the company."""
CHANGES = "select table_name, company_from, company_to, decision_id, reverses is not null, rows"


@pytest.fixture
def ledger(warehouse_url: str) -> Ledger:
    return Ledger(url=warehouse_url)


def sources(ledger: Ledger) -> list[tuple[Any, ...]]:
    return ledger.facts(PERFORMANCE, "company_id", "_identity_source", "_identity_confidence", "_load_id")


def effects(ledger: Ledger, **asked: Any) -> dict[str, tuple[int, int, int]]:
    """What an apply did to each table: inserted, updated, deleted."""
    return {t.table: (t.inserted, t.updated, t.deleted) for t in ledger.apply(**asked).tables}


# -- a temporary id becomes real


def test_a_name_that_the_index_knows_by_now_gets_its_company(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S2", "S3"], 客户名称=[NAME, NAME, OTHER], 期末资产规模=[1.25, 2.5, 4.0])
    ledger.know(A, name=NAME)

    done = ledger.apply()

    assert sources(ledger) == [
        (A, "index_customer_name", pytest.approx(0.9), 1),
        (A, "index_customer_name", pytest.approx(0.9), 1),
        (T_OTHER, "temporary_id", 0.0, 1),
    ]
    assert [(c.name, c.plan, c.rows, c.money["期末资产规模"]) for c in done.changes] == [
        (NAME, "S1", 1, Decimal("1.25")),
        (NAME, "S2", 1, Decimal("2.5")),
    ]


def test_a_plan_writes_nothing(ledger: Ledger) -> None:
    ledger.load()
    ledger.know(A, name=NAME)
    before = ledger.everything(PERFORMANCE)

    planned = ledger.apply(execute=False)

    assert (planned.status, planned.rows_changed) == ("planned", 1)
    assert ledger.everything(PERFORMANCE) == before
    assert ledger.run("select count(*) from enterprise.company_changes") == [(0,)]
    assert ledger.run("select count(*) from public.pipeline_executions") == [(0,)]


def test_the_same_apply_again_changes_nothing_and_is_no_load(ledger: Ledger) -> None:
    ledger.load()
    ledger.know(A, name=NAME)
    first = ledger.apply()

    again = ledger.apply()

    assert (first.status, again.status, again.load_id) == ("applied", "unchanged", None)
    assert ledger.run("select load_id, domain, period, rows_updated, files from ledger.loads") == [
        (first.load_id, "identity", None, 1, [])
    ]
    assert ledger.run("select status, rows_output from public.pipeline_executions") == [("success", 1)]


def test_a_plan_code_names_the_company_of_single_plans_only(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "P1"], 客户名称=[NAME, OTHER], 计划类型=["单一计划", "集合计划"])
    ledger.know(A, plan="S1")
    ledger.know(B, plan="P1")

    ledger.apply()

    assert ledger.companies() == [A, T_OTHER]


def test_unnamed_rows_of_a_plan_follow_it_and_other_unnamed_ones_stay_without(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S1", "P1"], 客户名称=[NAME, None, None], 计划类型=["单一计划", "单一计划", "集合计划"])
    ledger.know(A, name=NAME)

    ledger.apply()

    assert ledger.companies() == [A, A, None]


def test_a_delivered_id_is_never_moved_by_knowledge(ledger: Ledger) -> None:
    ledger.load(公司代码=[B, None], 客户名称=[NAME, OTHER], 计划代码=["S1", "S2"])
    ledger.know(A, name=NAME)

    assert ledger.apply().status == "unchanged"
    assert ledger.companies() == [B, T_OTHER]


# -- decisions


def test_half_of_a_names_plans_goes_where_a_decision_within_them_says(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S2"], 客户名称=NAME)
    number = ledger.decide("choose", NAME, plan="S1", end=A)

    ledger.apply()

    assert sources(ledger) == [(A, "decision", 1.0, 1), (T, "temporary_id", 0.0, 1)]
    assert ledger.run(f"{CHANGES}, normalized_name, plan_code from enterprise.company_changes order by 1") == [
        ("business.规模明细", T, A, number, False, 1, NAME, "S1"),
        ("mapping.年金计划", T, A, number, False, 1, None, None),
    ]


def test_undoing_a_decision_restores_the_very_rows(ledger: Ledger) -> None:
    ledger.load(公司代码=B, 计划代码="S1")
    ledger.load(period="202411", 计划代码="S2")
    before = ledger.everything(PERFORMANCE)
    number = ledger.decide("choose", NAME, end=A)
    ledger.apply()
    assert ledger.companies() == [A, A]

    ledger.undo(number)
    done = ledger.apply()

    assert ledger.everything(PERFORMANCE) == before
    assert ledger.run(
        "select company_id from mapping.年金计划 where 年金计划号 in ('S1', 'S2') order by 年金计划号"
    ) == [
        (B,),
        (T,),
    ]
    assert {change.undone for change in done.changes} == {(number,)}
    assert ledger.apply().status == "unchanged"


def test_undoing_a_decision_takes_nothing_back_that_it_did_not_do(ledger: Ledger) -> None:
    ledger.load(客户名称=[NAME, OTHER], 计划代码=["S1", "S2"])
    number = ledger.decide("choose", NAME, end=A)
    ledger.apply()
    ledger.know(B, name=OTHER)
    ledger.apply()
    ledger.run("delete from enterprise.enrichment_index")

    ledger.undo(number)
    ledger.apply()

    assert [row[:2] for row in sources(ledger)] == [(T, "temporary_id"), (B, "index_customer_name")]


def test_rows_loaded_since_go_where_they_would_be_without_the_undone_decision(ledger: Ledger) -> None:
    number = ledger.decide("choose", NAME, end=A)
    ledger.load(knowing=True)
    assert ledger.companies() == [A]

    ledger.undo(number)
    ledger.apply()

    assert ledger.companies() == [T]


def test_merges_are_followed_to_their_end_and_taken_back_one_by_one(ledger: Ledger) -> None:
    ledger.load(公司代码=A)
    ledger.know(A, name=NAME)
    first, second = ledger.decide("merge", start=A, end=B), ledger.decide("merge", start=B, end=C)
    ledger.apply()
    seen = [ledger.companies()]

    for number in (second, first):
        ledger.undo(number)
        ledger.apply()
        seen.append(ledger.companies())

    assert seen == [[C], [B], [A]]
    assert ledger.run("select company_id from enterprise.enrichment_index") == [(A,)]


def test_undoing_the_first_of_two_merges_takes_both_back(ledger: Ledger) -> None:
    ledger.load(公司代码=A)
    before = ledger.everything(PERFORMANCE)
    first = ledger.decide("merge", start=A, end=B)
    ledger.decide("merge", start=B, end=C)
    ledger.apply()

    ledger.undo(first)
    ledger.apply()

    assert ledger.everything(PERFORMANCE) == before


def test_a_merge_takes_plans_along_without_any_fact_and_leaves_what_was_learned(ledger: Ledger) -> None:
    ledger.know(A, name=NAME)
    ledger.run(
        "insert into enterprise.enrichment_requests (raw_name, normalized_name, normaliser_version, temp_id, status,"
        " next_retry_at, resolved_company_id) values (%s, %s, 1, %s, 'done', null, %s)",
        *(NAME, NAME, T, A),
    )
    ledger.run("insert into mapping.年金计划 (年金计划号, company_id) values ('S9', %s)", A)
    ledger.decide("merge", start=A, end=B)

    assert effects(ledger) == {"mapping.年金计划": (0, 1, 0)}
    assert ledger.run("select company_id from enterprise.enrichment_index") == [(A,)]
    assert ledger.run("select resolved_company_id from enterprise.enrichment_requests") == [(A,)]
    assert ledger.run("select company_id from mapping.年金计划 where 年金计划号 = 'S9'") == [(B,)]


def state(ledger: Ledger) -> dict[str, list[tuple[Any, ...]]]:
    """All that a merge and its end must leave as it was."""
    return {
        "facts": ledger.everything(PERFORMANCE),
        "plans": ledger.run("select 年金计划号, company_id from mapping.年金计划 order by 1"),
        "customers": ledger.run(f"select {DESCRIBED} from customer.客户明细 order by 1"),
        "index": ledger.run("select lookup_type, lookup_key, company_id, confidence from enterprise.enrichment_index"),
    }


def load_companies(ledger: Ledger, *, plans: Sequence[str] = ("S1", "S2", "S3")) -> None:
    ids = [A, B, None]
    cells: dict[str, Any] = {"公司代码": ids[: len(plans)], "客户名称": [OTHER, "第三公司", NAME][: len(plans)]}
    ledger.load(knowing=True, 计划代码=list(plans), **cells)


def test_months_loaded_again_under_a_merge_are_as_before_once_it_is_undone(ledger: Ledger) -> None:
    ledger.know(A, name=NAME)
    load_companies(ledger)
    before = state(ledger)
    number = ledger.decide("merge", start=A, end=B)
    ledger.apply()
    load_companies(ledger)
    merged = ledger.companies()

    ledger.undo(number)
    ledger.apply()
    after = state(ledger)
    again = ledger.apply().status
    load_companies(ledger)

    assert merged == [B, B, B]
    assert after == before
    assert again == "unchanged"
    assert state(ledger) == before


def test_a_new_plan_of_a_merged_company_stays_where_the_end_of_the_merge_puts_it(ledger: Ledger) -> None:
    number = ledger.decide("merge", start=A, end=B)
    ledger.load(公司代码=A, knowing=True, 计划代码="S1")
    ledger.undo(number)

    ledger.apply()

    assert (ledger.companies(), plan_companies(ledger)["S1"]) == ([A], A)
    assert ledger.apply().status == "unchanged"
    assert plan_companies(ledger)["S1"] == A


def test_a_chain_of_merges_undone_from_its_start_leaves_no_trace(ledger: Ledger) -> None:
    ledger.know(A, name=NAME)
    load_companies(ledger)
    before, seen = state(ledger), []
    first = ledger.decide("merge", start=A, end=B)
    ledger.apply()
    second = ledger.decide("merge", start=B, end=C)
    ledger.apply()

    for number in (first, second):
        ledger.undo(number)
        ledger.apply()
        seen.append(ledger.companies())
    after = state(ledger)
    load_companies(ledger)

    assert seen == [[A, C, A], [A, B, A]]
    for left in (after, state(ledger)):
        # Loads and applies keep the row of a company that nobody names any more, without a plan.
        assert [(row[0], row[4]) for row in left["customers"] if row not in before["customers"]] == [(C, 0)]
        assert left | {"customers": []} == before | {"customers": []}
        assert set(before["customers"]) <= set(left["customers"])


def test_known_rows_loaded_under_a_chain_of_merges_come_back_when_its_start_is_undone(ledger: Ledger) -> None:
    ledger.know(A, name=NAME)
    first = ledger.decide("merge", start=A, end=B)
    ledger.decide("merge", start=B, end=C)
    ledger.load(knowing=True)

    ledger.undo(first)
    ledger.apply()

    assert ledger.companies() == [A]


def test_rows_of_one_change_are_taken_back_each_by_itself(ledger: Ledger) -> None:
    ledger.load(公司代码=[A, A, D], **UNNAMED)
    first, _ = ledger.decide("merge", start=A, end=B), ledger.decide("merge", start=D, end=B)
    ledger.apply()
    last, seen = ledger.decide("merge", start=B, end=C), []
    ledger.apply()

    for number in (first, last):
        ledger.undo(number)
        ledger.apply()
        seen.append(ledger.companies())

    assert seen == [[A, A, C], [A, A, B]]
    assert ledger.apply().status == "unchanged"


def test_three_shares_of_one_change_are_taken_back_one_after_the_other(ledger: Ledger) -> None:
    end, last = "600000005", "600000006"
    ledger.load(公司代码=[A, B, C], **UNNAMED)
    merges = [ledger.decide("merge", start=start, end=end) for start in (A, B, C)]
    ledger.apply()
    ledger.decide("merge", start=end, end=last)
    ledger.apply()
    assert ledger.run("select max(rows) from enterprise.company_changes where company_from = %s", end) == [(3,)]

    seen = []
    for number in merges:
        ledger.undo(number)
        ledger.apply()
        seen.append(ledger.companies())

    assert seen == [[A, last, last], [A, B, last], [A, B, C]]


# -- what a plan was taught by a name


def found(ledger: Ledger) -> list[tuple[Any, ...]]:
    return [row[:2] for row in sources(ledger)]


BY_PLAN = [(A, "existing_id"), (A, "same_load"), (A, "index_plan_code"), (A, "index_plan_code")]


def learn(ledger: Ledger) -> None:
    """What a load of the plan's first month would have taught."""
    for kind, key in (("plan_code", "S1"), ("plan_customer", f"S1|{NAME}")):
        ledger.run(
            "insert into enterprise.enrichment_index"
            " (lookup_key, lookup_type, company_id, confidence, source, normaliser_version)"
            " values (%s, %s, %s, 0.9, 'backflow', %s)",
            *(key, kind, A, NORMALISER_VERSION),
        )


def learned_plan(ledger: Ledger) -> list[tuple[Any, ...]]:
    ledger.load(knowing=True, 计划代码="S1", 客户名称=[NAME, None], 公司代码=[A, None])
    learn(ledger)
    ledger.load(knowing=True, period="202411", 计划代码="S1", 客户名称=[None, OTHER])
    assert found(ledger) == BY_PLAN
    return ledger.everything(PERFORMANCE)


@pytest.mark.parametrize(
    ("decision", "named"),
    [
        ({"kind": "reject", "start": A}, (T, "temporary_id")),
        ({"kind": "split", "start": A, "end": B}, (B, "decision")),
        ({"kind": "choose", "end": B}, (B, "decision")),
        ({"kind": "reject", "start": A, "plan": "S1"}, (T, "temporary_id")),
    ],
    ids=["reject", "split", "choose", "within the plan"],
)
def test_what_only_a_wrong_name_told_of_a_plan_goes_and_comes_back_with_the_decision(
    ledger: Ledger, decision: dict[str, str], named: tuple[str, str]
) -> None:
    before = learned_plan(ledger)
    number = ledger.decide(name=NAME, **decision)

    done = ledger.apply()
    seen, again = found(ledger), ledger.apply().status
    ledger.undo(number)
    ledger.apply()

    assert seen == [named, (None, "unresolved"), (None, "unresolved"), (T_OTHER, "temporary_id")]
    assert again == "unchanged"
    assert {change.decisions for change in done.changes} == {(number,)}
    assert ledger.everything(PERFORMANCE) == before
    assert ledger.apply().status == "unchanged"


def test_a_plan_of_which_another_name_says_the_same_keeps_its_company(ledger: Ledger) -> None:
    ledger.load(knowing=True, 计划代码="S1", 客户名称=[NAME, OTHER, None], 公司代码=[A, A, None])
    ledger.decide("choose", NAME, end=B)

    ledger.apply()

    assert found(ledger) == [(B, "decision"), (A, "existing_id"), (A, "same_load")]


def test_another_plan_than_the_decisions_keeps_its_company(ledger: Ledger) -> None:
    learned_plan(ledger)
    ledger.load(period="202412", 计划代码="S2", 客户名称=NAME, 公司代码=A)
    ledger.decide("reject", NAME, start=A, plan="S2")

    ledger.apply()

    assert found(ledger) == [*BY_PLAN, (T, "temporary_id")]


def test_a_split_without_a_company_gives_the_temporary_id_back(ledger: Ledger) -> None:
    ledger.load(公司代码=[A, A], 客户名称=[NAME, OTHER])
    number = ledger.decide("split", NAME, start=A)

    ledger.apply()
    split = ledger.companies()
    ledger.undo(number)
    ledger.apply()

    assert split == [T, A]
    assert ledger.companies() == [A, A]


# -- what follows from the facts


def plan_companies(ledger: Ledger) -> dict[str, str | None]:
    return dict(ledger.run("select 年金计划号, company_id from mapping.年金计划 where _source = 'auto_derived'"))


def test_a_plans_company_follows_unless_facts_of_the_plan_stay(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S2", "S2"], 客户名称=[NAME, NAME, NAME], 计划类型=["单一计划", "单一计划", "集合计划"])
    ledger.know(A, plan="S1")
    ledger.know(A, plan="S2")
    ledger.run("update business.规模明细 set 客户名称 = %s where 计划类型 = '集合计划'", OTHER)

    ledger.apply()

    assert ledger.companies() == [A, A, T]
    assert plan_companies(ledger) == {"S1": A, "S2": T}


def test_a_plan_whose_facts_are_gone_follows_its_temporary_id(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S2"])
    ledger.load(计划代码="S1")
    ledger.know(A, name=NAME)

    ledger.apply()

    assert plan_companies(ledger) == {"S1": A, "S2": A}


def test_a_plan_that_a_sync_delivers_keeps_its_company(ledger: Ledger, tmp_path: Path) -> None:
    for path in CONFIG.rglob("*.y*ml"):
        target = tmp_path / path.relative_to(CONFIG)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(path.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "plans.csv").write_text("年金计划号,company_id\n", encoding="utf-8")
    (tmp_path / "reference_sync.yml").write_text(
        'schema_version: "1.0"\njobs:\n  - {name: plans, target: mapping.年金计划, key: 年金计划号, mode: upsert,'
        " source: {type: config_file, path: plans.csv}, columns: {年金计划号: 年金计划号, company_id: company_id}}\n",
        encoding="utf-8",
    )
    ledger.load(公司代码=A)
    ledger.run("update mapping.年金计划 set _source = 'authoritative' where 年金计划号 = 'S0001'")
    ledger.decide("merge", start=A, end=B)

    ledger.apply(config=tmp_path)

    assert ledger.companies() == [B]
    assert ledger.run("select company_id from mapping.年金计划 where 年金计划号 = 'S0001'") == [(A,)]


DESCRIBED = "company_id, 客户名称, 年金客户类型, 关键年金计划, 关联计划数, 管理资格, tags::text, _derived_from_domain"


def test_customers_are_as_if_loads_had_known_them(ledger: Ledger) -> None:
    def load(*, knowing: bool) -> None:
        for period in ("202410", "202411"):
            ledger.load(AWARD, period=period, knowing=knowing, 年金计划号=f"S{period}")
            ledger.load(LOSS, period=period, knowing=knowing, 上报客户名称=OTHER)
            ledger.load(period=period, knowing=knowing, 计划代码=[f"S{period}", "S1"])
            ledger.load(INCOME, period=period, knowing=knowing, 计划代码="S3")

    load(knowing=False)
    ledger.know(A, name=NAME)
    ledger.know(B, name=OTHER)
    done = ledger.apply()
    applied = ledger.run(f"select {DESCRIBED} from customer.客户明细 order by 1")
    assert ("customer.客户明细", 2, 0) in [(t.table, t.inserted, t.updated) for t in done.tables]

    ledger.run(
        "truncate business.规模明细, business.收入明细, customer.中标客户明细, customer.流失客户明细,"
        " customer.客户明细 cascade"
    )
    load(knowing=True)

    assert applied == ledger.run(f"select {DESCRIBED} from customer.客户明细 order by 1")
    assert [row[0] for row in applied] == [A, B]


def test_a_customer_loses_what_leaves_it(ledger: Ledger) -> None:
    ledger.load(公司代码=A, 客户名称=[NAME, OTHER], 计划代码=["S1", "S2"])
    ledger.decide("split", OTHER, start=A, end=B)

    assert effects(ledger)["customer.客户明细"] == (1, 1, 0)
    assert ledger.run("select company_id, 关联计划数 from customer.客户明细 order by 1") == [(A, 1), (B, 1)]


def kept_under(ledger: Ledger, *ids: str) -> None:
    for number in ids:
        ledger.run("insert into customer.客户明细 (company_id, 客户简称) values (%s, %s)", number, f"of {number}")


def short_names(ledger: Ledger) -> list[tuple[Any, ...]]:
    return ledger.run("select company_id, 客户简称 from customer.客户明细 order by 1")


def test_a_customer_kept_under_a_temporary_id_moves_or_makes_room(ledger: Ledger) -> None:
    ledger.load(客户名称=[NAME, OTHER], 计划代码=["S1", "S2"])
    kept_under(ledger, T, T_OTHER, B)
    ledger.know(A, name=NAME)
    ledger.know(B, name=OTHER)

    assert effects(ledger)["customer.客户明细"] == (0, 2, 1)
    assert short_names(ledger) == [(A, f"of {T}"), (B, f"of {B}")]


def test_two_temporary_customers_of_one_company_become_one(ledger: Ledger) -> None:
    ledger.load(客户名称=[NAME, OTHER], 计划代码=["S1", "S2"])
    kept_under(ledger, *sorted([T, T_OTHER]))
    ledger.know(A, name=NAME)
    ledger.know(A, name=OTHER)

    assert effects(ledger)["customer.客户明细"] == (0, 1, 1)
    assert [row[0] for row in short_names(ledger)] == [A]


def test_a_temporary_customer_with_facts_left_stays(ledger: Ledger) -> None:
    ledger.load(计划代码=["S1", "S2"])
    kept_under(ledger, T)
    ledger.decide("choose", NAME, plan="S1", end=A)

    ledger.apply()

    assert [row[0] for row in short_names(ledger)] == [A, T]


# -- nothing is lost


@pytest.mark.parametrize("domain", [PERFORMANCE, INCOME, AWARD, LOSS], ids=lambda domain: str(domain.name))
def test_facts_are_as_if_the_load_had_known_the_companies(ledger: Ledger, domain: Domain) -> None:
    name = "上报客户名称" if domain in (AWARD, LOSS) else "客户名称"
    plan = "年金计划号" if domain in (AWARD, LOSS) else "计划代码"
    cells: dict[str, Any] = {
        name: [NAME, f"{NAME}-福利", OTHER, None, "无名氏公司"],
        plan: ["S1", "S2", "P1", "S1", "S9"],
    }
    if domain in (AWARD, LOSS):
        cells[name][3] = OTHER
    ledger.load(domain, **cells)
    ledger.know(A, name=NAME)
    ledger.know(B, plan="P1", name=OTHER)

    ledger.apply()
    applied = ledger.everything(domain)
    ledger.load(domain, knowing=True, **cells)

    assert applied == ledger.everything(domain)
    assert {A, B} < set(ledger.companies(domain))


def test_sums_are_the_same_before_and_after(ledger: Ledger) -> None:
    ledger.load(客户名称=[NAME, OTHER], 期末资产规模=[0.1, 0.2], 供款=[None, None])
    ledger.know(A, name=NAME)

    sums = {one.column: (one.before, one.after) for one in ledger.apply().sums}

    assert sums["期末资产规模"] == (Decimal("0.3"), Decimal("0.3"))
    assert sums["rows"] == (Decimal(2), Decimal(2))
    assert all(before == after for before, after in sums.values())


def test_an_apply_that_would_change_money_is_rolled_back(ledger: Ledger) -> None:
    ledger.load(期末资产规模=1.0)
    ledger.know(A, name=NAME)
    ledger.run(
        "create function add_one() returns trigger language plpgsql as"
        " 'begin new.期末资产规模 = new.期末资产规模 + 1; return new; end'"
    )
    ledger.run("create trigger add_one before update on business.规模明细 for each row execute function add_one()")
    before = ledger.everything(PERFORMANCE)

    with pytest.raises(WarehouseError, match=r"期末资产规模 of .* would change from 1"):
        ledger.apply()

    assert ledger.everything(PERFORMANCE) == before
    assert ledger.run("select status from public.pipeline_executions") == [("failed",)]


def test_rows_that_somebody_changed_meanwhile_stop_the_apply(ledger: Ledger) -> None:
    ledger.load()
    ledger.know(A, name=NAME)
    ledger.run(
        "create function keep() returns trigger language plpgsql as 'begin return null; end';"
        "create trigger keep before update on business.规模明细 for each row execute function keep()"
    )

    with pytest.raises(WarehouseError, match="0 rows of facts still were as they had been read, of 1"):
        ledger.apply()
