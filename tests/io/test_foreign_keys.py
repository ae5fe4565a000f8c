"""config/foreign_keys.yml: the rules are what a run can follow, and say where they are not."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.domain.domain_rows import CONFIG

from work_data_hub.domain.catalog import DOMAINS
from work_data_hub.domain.reference_rules import Aggregate, Given, Mode, Reference
from work_data_hub.errors import ConfigError
from work_data_hub.io.foreign_keys import load_references
from work_data_hub.io.postgres import Connection
from work_data_hub.io.reference_keys import check_keys

MAX_BY = {"type": "max_by", "order_column": "期末资产规模"}

TAG = {"type": "tag", "date_column": "月度", "suffix": "x", "given": "first_month"}


def rule(**changes: Any) -> dict[str, Any]:
    usual = {
        "name": "fk_plan",
        "source_column": "计划代码",
        "target_schema": "mapping",
        "target_table": "年金计划",
        "target_key": "年金计划号",
        "backfill_columns": [{"source": "计划名称", "target": "计划全称"}],
    }
    return {name: value for name, value in (usual | changes).items() if value is not None}


def column(**aggregation: Any) -> list[dict[str, Any]]:
    return [{"source": "机构名称", "target": "主拓机构", "aggregation": aggregation}]


def customers(**changes: Any) -> dict[str, Any]:
    return rule(
        name="fk_customer",
        source_column="company_id",
        target_schema="customer",
        target_table="客户明细",
        target_key="company_id",
        mode="recompute",
        **changes,
    )


def loaded(folder: Path, *rules: Any, domain: str = "annuity_performance", **root: Any) -> tuple[Reference, ...]:
    content = {"schema_version": "1.2", "domains": {domain: {"foreign_keys": list(rules)}}} | root
    (folder / "foreign_keys.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return load_references(folder, DOMAINS)["annuity_performance"]


@pytest.mark.unit
def test_the_shipped_rules() -> None:
    rules = load_references(CONFIG, DOMAINS)

    assert {name: len(of_domain) for name, of_domain in rules.items()} == {
        "annual_award": 1,
        "annual_loss": 1,
        "annuity_performance": 5,
        "annuity_income": 5,
        "sandbox_trustee_performance": 0,
    }
    for name in ("annuity_performance", "annuity_income"):
        order = [rule.name for rule in rules[name]]
        assert order.index("fk_plan") < order.index("fk_portfolio")


@pytest.mark.unit
def test_what_a_rule_may_leave_out(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, rule(target_schema=None))

    assert (found.table, found.mode, found.skip_blank_values) == ("public.年金计划", Mode.INSERT_MISSING, False)
    assert found.columns[0].how is Aggregate.FIRST


@pytest.mark.unit
def test_the_key_may_be_listed_among_the_columns(tmp_path: Path) -> None:
    (found,) = loaded(tmp_path, rule(backfill_columns=[{"source": "计划代码", "target": "年金计划号"}]))

    assert found.columns == ()


@pytest.mark.unit
def test_rules_come_after_those_they_depend_on(tmp_path: Path) -> None:
    found = loaded(
        tmp_path,
        rule(name="c", target_table="c", depends_on=["b"]),
        rule(name="a", target_table="a"),
        rule(name="b", target_table="b", depends_on=["a"]),
    )

    assert [rule.name for rule in found] == ["a", "b", "c"]


@pytest.mark.unit
def test_tags_are_of_each_month_or_of_the_first(tmp_path: Path) -> None:
    tags = [
        {"target": target, "aggregation": {"type": "tag", "date_column": "月度", "suffix": "中标", **more}}
        for target, more in (("tags", {}), ("备注", {"given": "first_month"}))
    ]
    precedence = {"customer.客户明细": ["annuity_performance"]}

    (found,) = loaded(tmp_path, customers(backfill_columns=tags), precedence=precedence)

    assert [(tag.date_format, tag.given) for tag in found.tags] == [
        ("yyMM", Given.EACH_MONTH),
        ("yyMM", Given.FIRST_MONTH),
    ]
    assert [describer.domain for describer in found.described_by] == ["annuity_performance"]


WRONG_RULES: list[tuple[dict[str, Any], str, str]] = [
    ({"source_column": "计划代玛"}, "[0].source_column", "did you mean '计划代码'?"),
    ({"source_column": "公司代码"}, "[0].source_column", "correct"),  # read, not stored
    ({"mode": "insert"}, "[0].mode", "did you mean 'insert_missing'?"),
    ({"modus": "x"}, "[0].modus", "did you mean 'mode'?"),
    ({"skip_blank_values": "yes"}, "[0].skip_blank_values", "correct"),
    ({"skip_values": "AN001"}, "[0].skip_values", "correct"),
    ({"skip_values": [1]}, "[0].skip_values", "correct"),
    ({"skip_values": ["AN001", "AN001"]}, "[0].skip_values", "correct"),
    ({"name": 7}, "[0].name", "correct"),
    ({"target_table": None}, "[0].target_table", "correct"),
    ({"backfill_columns": []}, "[0].backfill_columns", "correct"),
    ({"backfill_columns": None}, "[0].backfill_columns", "correct"),
    ({"backfill_columns": ["计划名称"]}, "[0].backfill_columns[0]", "correct"),
    ({"depends_on": "fk_plan"}, "[0].depends_on", "correct"),
    ({"depends_on": ["fk_plan"]}, "[0].depends_on", "correct"),  # itself
    ({"depends_on": ["fk_customer"]}, "[0].depends_on", "correct"),  # no such rule
    (
        {"mode": "fill_null_only", "backfill_columns": [{"source": "计划代码", "target": "年金计划号"}]},
        "[0].backfill",
        "",
    ),
    ({"backfill_columns": [{"source": "计划名秤", "target": "a"}]}, "[0].backfill_columns[0].source", "计划名称"),
    ({"backfill_columns": [{"target": "计划全称"}]}, "[0].backfill_columns[0].source", "correct"),
    ({"backfill_columns": [{"source": "计划名称"}]}, "[0].backfill_columns[0].target", "correct"),
    ({"backfill_columns": [{"source": "计划名称", "target": "a", "x": 1}]}, "[0].backfill_columns[0].x", ""),
    (
        {"backfill_columns": [{"source": name, "target": "a"} for name in ("计划名称", "客户名称")]},
        "[0].backfill_columns[1].target",
        "correct",
    ),
    ({"backfill_columns": [{"source": "计划名称", "target": "年金计划号"}]}, "[0].target_key", "correct"),
    ({"backfill_columns": column(type="max")}, "aggregation.type", "did you mean 'max_by'?"),
    ({"backfill_columns": column(type="lambda", code="1")}, "aggregation.type", "correct"),
    ({"backfill_columns": column(type="max_by")}, "aggregation.order_column", "correct"),
    ({"backfill_columns": column(type="max_by", order_column="机构名称")}, "aggregation.order_column", "correct"),
    ({"backfill_columns": column(**MAX_BY, separator=",")}, "aggregation.separator", "correct"),
    ({"backfill_columns": column(type="concat_distinct", sort=1)}, "aggregation.sort", "correct"),
    ({"backfill_columns": column(type="concat_distinct", excluding="主拓")}, "aggregation.excluding", "主拓机构"),
    ({"backfill_columns": column(type="template", template="{机构}")}, "aggregation.template", "correct"),
    ({"backfill_columns": column(type="template", template="{")}, "aggregation.template", "correct"),
    ({"backfill_columns": column(type="template", template="{月度:%Y}")}, "aggregation.template", "correct"),
    (
        {"backfill_columns": column(type="tag", date_column="机构名称", suffix="x")},
        "aggregation.date_column",
        "correct",
    ),
    ({"backfill_columns": column(type="tag", date_column="月度", suffix="x", format="MMyy")}, "aggregation.format", ""),
    ({"backfill_columns": column(type="tag", date_column="月度", suffix="x")}, "[0].mode", "correct"),
    ({"backfill_columns": column(type="tag", date_column="月度", suffix="x", given="never")}, "aggregation.given", ""),
]


@pytest.mark.unit
@pytest.mark.parametrize(("changes", "field", "hint"), WRONG_RULES, ids=lambda given: str(given)[:50])
def test_a_wrong_rule_is_refused_with_file_and_key(
    tmp_path: Path, changes: dict[str, Any], field: str, hint: str
) -> None:
    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, rule(**changes))

    assert (refused.value.exit_code, refused.value.file) == (2, str(tmp_path / "foreign_keys.yml"))
    assert field in str(refused.value.field)
    assert hint in str(refused.value.hint)
    assert refused.value.rule


@pytest.mark.unit
@pytest.mark.parametrize("other", [{"target_table": "组合计划"}, {"name": "other"}])
def test_a_name_and_a_table_stand_once_in_a_domain(tmp_path: Path, other: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="a name and a table of its own"):
        loaded(tmp_path, rule(), rule(**other))


@pytest.mark.unit
def test_a_circle_of_rules_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"a → b → a|b → a → b"):
        loaded(
            tmp_path,
            rule(name="a", target_table="a", depends_on=["b"]),
            rule(name="b", target_table="b", depends_on=["a"]),
        )


@pytest.mark.unit
@pytest.mark.parametrize(
    ("root", "message"),
    [
        ({"domain": "annuity_perform"}, "unknown domain.*did you mean 'annuity_performance'"),
        ({"schema_version": 1.2}, "schema_version"),
        ({"extra": 1}, "unknown key"),
        ({"precedence": {"customer.客户明细": []}}, "unknown key"),  # nobody recomputes it here
        ({"domains": {"annuity_performance": {"foreign_key": []}}}, "did you mean 'foreign_keys'"),
    ],
)
def test_a_wrong_root_is_refused(tmp_path: Path, root: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loaded(tmp_path, rule(), **root)


@pytest.mark.unit
@pytest.mark.parametrize(
    "precedence",
    [
        None,
        {},
        {"customer.客户明细": ["annuity_income"]},
        {"customer.客户明细": ["annuity_performance", "annuity_income"]},
        {"customer.客户明细": ["annuity_performance", "annuity_performance"]},
    ],
)
def test_who_describes_recomputed_rows_must_be_said(tmp_path: Path, precedence: Any) -> None:
    root = {} if precedence is None else {"precedence": precedence}

    with pytest.raises(ConfigError) as refused:
        loaded(tmp_path, customers(), **root)

    assert str(refused.value.field).startswith("precedence")


@pytest.mark.unit
def test_a_missing_file_names_itself(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"foreign_keys.yml"):
        load_references(tmp_path, DOMAINS)


# -- the schema


def every_rule() -> list[Reference]:
    return [rule for of_domain in load_references(CONFIG, DOMAINS).values() for rule in of_domain]


@pytest.mark.integration
def test_every_shipped_key_is_a_unique_key_of_the_schema(warehouse: Connection) -> None:
    check_keys(warehouse, every_rule())


@pytest.mark.integration
@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"target_key": "company_id"}, "target_key.*company_id.*the unique keys of mapping.年金计划: 年金计划号"),
        ({"target_table": "年金"}, "target_table.*mapping.年金.*wdh db migrate"),
        ({"backfill_columns": [{"source": "计划名称", "target": "计划名"}]}, "计划名'.*计划全称"),
        ({"target_schema": "mapping", "target_table": "计划层规模", "target_key": "规模分类代码"}, "计划全称"),
    ],
)
def test_a_rule_that_does_not_fit_the_schema_is_refused(
    warehouse: Connection, tmp_path: Path, changes: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigError, match=f"rule fk_plan does not fit.*{says}"):
        check_keys(warehouse, loaded(tmp_path, rule(**changes)))


@pytest.mark.integration
@pytest.mark.parametrize(
    "index",
    [
        "create unique index on mapping.t (k) where k <> ''",
        "create unique index on mapping.t (lower(k))",
        "create unique index on mapping.t (k, v)",
        "alter table mapping.t add unique (k) deferrable initially deferred",
        "create index on mapping.t (k)",
    ],
)
def test_half_a_key_is_none(warehouse: Connection, tmp_path: Path, index: str) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("create table mapping.t (like mapping.年金计划)")
        cursor.execute("alter table mapping.t add k text, add v text")
        cursor.execute(index)
    warehouse.commit()
    asked = loaded(tmp_path, rule(target_table="t", target_key="k"))

    with pytest.raises(ConfigError, match=r"the unique keys of mapping\.t: none"):
        check_keys(warehouse, asked)
    with warehouse.cursor() as cursor:
        cursor.execute("create unique index on mapping.t (k) include (v)")
    warehouse.commit()
    check_keys(warehouse, asked)


@pytest.mark.integration
def test_tags_need_a_column_that_holds_lists(warehouse: Connection, tmp_path: Path) -> None:
    tags = [{"target": "备注", "aggregation": TAG}]
    precedence = {"customer.客户明细": ["annuity_performance"]}

    with pytest.raises(ConfigError, match=r"a column of type jsonb.* is of type text"):
        check_keys(warehouse, loaded(tmp_path, customers(backfill_columns=tags), precedence=precedence))


@pytest.mark.unit
@pytest.mark.parametrize("given", ["first_month", "each_month"])
def test_tags_follow_facts_so_their_rows_are_recomputed(tmp_path: Path, given: str) -> None:
    tags = [{"target": "tags", "aggregation": TAG | {"given": given}}]

    with pytest.raises(ConfigError, match=f"recompute where a tag is given {given}"):
        loaded(tmp_path, rule(backfill_columns=tags))


@pytest.mark.unit
@pytest.mark.parametrize("other", [{"given": "each_month"}, {"format": "yyyyMM"}])
def test_domains_give_one_tag_in_one_way(tmp_path: Path, other: dict[str, str]) -> None:
    ours = customers(backfill_columns=[{"target": "tags", "aggregation": TAG}])
    theirs = customers(backfill_columns=[{"target": "tags", "aggregation": TAG | other}])
    rules = {"annuity_performance": {"foreign_keys": [ours]}, "annuity_income": {"foreign_keys": [theirs]}}
    precedence = {"customer.客户明细": ["annuity_performance", "annuity_income"]}

    with pytest.raises(ConfigError, match=r"as in the other rules of customer\.客户明细"):
        loaded(tmp_path, domains=rules, precedence=precedence)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("target", "source", "aggregation", "says"),
    [
        ("组合数", "计划名称", {"type": "first"}, "text or character varying or character.* is of type integer"),
        ("组合数", "计划名称", {"type": "max_by", "order_column": "期末资产规模"}, "is of type integer"),
        ("组合数", "计划名称", {"type": "concat_distinct"}, "is of type integer"),
        ("组合数", None, {"type": "template", "template": "新客"}, "is of type integer"),
        ("组合数", "月度", {"type": "first"}, "or date as 月度 .* is of type integer"),
        (
            "计划简称",
            "机构名称",
            {"type": "count_distinct"},
            "integer or bigint or numeric.* is of type character varying",
        ),
        ("id", "机构名称", {"type": "count_distinct"}, "kept by the warehouse itself"),
        ("created_at", "计划名称", {"type": "first"}, "kept by the warehouse itself"),
        ("updated_at", "计划名称", {"type": "first"}, "kept by the warehouse itself"),
        ("_source", "计划名称", {"type": "first"}, "kept by the warehouse itself"),
        ("_derived_from_domain", "计划名称", {"type": "first"}, "kept by the warehouse itself"),
    ],
)
def test_a_column_that_cannot_hold_the_values_is_refused(
    warehouse: Connection, tmp_path: Path, target: str, source: str | None, aggregation: dict[str, Any], says: str
) -> None:
    wrong = {"target": target, "aggregation": aggregation} | ({"source": source} if source else {})

    with pytest.raises(ConfigError, match=f"rule fk_plan does not fit.*{says}") as refused:
        check_keys(warehouse, loaded(tmp_path, rule(backfill_columns=[wrong])))

    assert (refused.value.file, refused.value.input_data) == ("foreign_keys.yml", target)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("kind", "source", "aggregation", "fits"),
    [
        ("date", "月度", {"type": "first"}, True),
        ("text", "月度", {"type": "first"}, True),
        ("numeric", "期末资产规模", {"type": "first"}, True),
        ("numeric(4,2)", "期末资产规模", {"type": "first"}, False),
        ("numeric(9,0)", "机构名称", {"type": "count_distinct"}, True),
        ("bigint", "机构名称", {"type": "count_distinct"}, True),
        ("smallint", "机构名称", {"type": "count_distinct"}, False),
        ("integer generated always as identity", "机构名称", {"type": "count_distinct"}, False),
        ("integer generated always as (1) stored", "机构名称", {"type": "count_distinct"}, False),
    ],
)
def test_a_value_that_is_taken_over_also_fits_its_own_type(
    warehouse: Connection, tmp_path: Path, kind: str, source: str, aggregation: dict[str, Any], fits: bool
) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute(f"alter table mapping.年金计划 add given {kind}")
    warehouse.commit()
    asked = loaded(tmp_path, rule(backfill_columns=[{"source": source, "target": "given", "aggregation": aggregation}]))

    if fits:
        check_keys(warehouse, asked)
    else:
        with pytest.raises(ConfigError, match="given"):
            check_keys(warehouse, asked)


@pytest.mark.integration
def test_a_key_is_a_text(warehouse: Connection, tmp_path: Path) -> None:
    with warehouse.cursor() as cursor:
        cursor.execute("alter table mapping.年金计划 add number integer unique, add unique (id)")
    warehouse.commit()

    for key in ("number", "id"):
        with pytest.raises(ConfigError, match=f"target_key.*{key}.*a key of type text"):
            check_keys(warehouse, loaded(tmp_path, rule(target_key=key)))


@pytest.mark.integration
def test_rules_of_other_domains_that_describe_the_same_rows_are_checked_too(
    warehouse: Connection, tmp_path: Path
) -> None:
    wrong = customers(backfill_columns=[{"source": "客户名称", "target": "关联计划数"}])
    right = customers(backfill_columns=[{"source": "客户名称", "target": "客户名称"}])
    content = {"annuity_performance": {"foreign_keys": [right]}, "annuity_income": {"foreign_keys": [wrong]}}
    precedence = {"customer.客户明细": ["annuity_performance", "annuity_income"]}

    asked = loaded(tmp_path, domains=content, precedence=precedence)

    with pytest.raises(ConfigError, match=r"关联计划数.*is of type integer") as refused:
        check_keys(warehouse, asked)
    assert refused.value.domain == "annuity_income"


@pytest.mark.integration
def test_the_check_leaves_no_transaction_open(warehouse: Connection) -> None:
    check_keys(warehouse, every_rule())
    check_keys(warehouse, [])

    assert warehouse.info.transaction_status == 0
