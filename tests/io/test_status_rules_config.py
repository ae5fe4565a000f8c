from pathlib import Path

import pytest

from work_data_hub.domain.customers.conditions import AggregatedField, FieldCompares, FirstAppearance
from work_data_hub.domain.customers.status_fields import Aggregation
from work_data_hub.domain.customers.status_rules import RULE_NAMES, Operator, StatusRules
from work_data_hub.errors import ConfigError
from work_data_hub.io.status_rules_config import STATUS_FILE, load_status_rules

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / "config"
NEGATED = "{type: aggregated_field, field: is_existing, aggregation: BOOL_OR}"
NEW = "- {type: status_reference, status: is_winning_this_year}"
DERIVED = "source: derived\n    time"
NOT_AWARD_ONLY = "- {type: field_equals, field: is_award_only, value: false}"


def rules(folder: Path, was: str = "", becomes: str = "") -> StatusRules:
    """The rules of the shipped file in which one text was replaced."""
    text = (SHIPPED / STATUS_FILE).read_text(encoding="utf-8")
    assert was in text
    (folder / STATUS_FILE).write_text(text.replace(was, becomes, 1), encoding="utf-8")
    return load_status_rules(folder)


def test_the_shipped_file_has_a_rule_for_every_flag() -> None:
    shipped = load_status_rules(SHIPPED)
    assert set(shipped.rules) == set(RULE_NAMES)
    assert {rule.status for rule in shipped.rules.values()} == set(shipped.definitions)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no default stands in for it"):
        load_status_rules(tmp_path)


@pytest.mark.parametrize(
    "condition",
    [
        "{type: field_gt, field: aum_balance, value: 1000}",
        '{type: field_lt, field: aum_balance, value: "0.5"}',
        "{type: field_equals, field: plan_count, value: 2}",
        "{type: negation, condition: {type: negation, condition: {type: status_reference, status: is_new_arrival}}}",
        "{type: aggregated_field, field: is_strategic}",
        "{type: aggregated_field, field: aum_balance, aggregation: SUM, gt: 5}",
        "{type: aggregated_field, field: contract_status, aggregation: COUNT, equals: 1}",
        "{type: aggregated_field, field: status_year, aggregation: MIN, lt: 2024}",
        '{type: aggregated_field, field: is_existing, aggregation: AVG, gt: "0.5"}',
        '{type: aggregated_field, field: status_year, aggregation: AVG, lt: "2023.5"}',
        "{type: aggregated_field, field: aum_balance, aggregation: AVG, gt: 1000}",
        "{type: disappeared, source: annuity_performance, period_field: 月度,"
        " match_fields: [{source_field: company_id, target_field: company_id}]}",
    ],
)
def test_conditions_that_can_be_written(tmp_path: Path, condition: str) -> None:
    read = rules(tmp_path, NEW, f"- {condition}").rules["is_new"].conditions[0]
    assert read.words()


def test_what_is_left_out_has_its_default(tmp_path: Path) -> None:
    read = rules(tmp_path, NEGATED, "{type: aggregated_field, field: is_existing}")
    new, won = read.rules["is_new"], read.rules["is_winning_this_year"]
    assert new.conditions[1].words() == "not (BOOL_OR of is_existing)"
    assert won.operator is Operator.AND


def test_operator_positive_and_aggregation_are_read(tmp_path: Path) -> None:
    read = rules(tmp_path, "        positive: 期末资产规模\n", "").rules
    arrival = read["is_new_arrival"].conditions[0]
    assert isinstance(arrival, FirstAppearance)
    assert not arrival.is_positive
    strict = rules(tmp_path, NEW, "- {type: aggregated_field, field: is_strategic, aggregation: BOOL_AND}").rules
    strategic = strict["is_new"].conditions[0]
    assert isinstance(strategic, AggregatedField)
    assert strategic.aggregation is Aggregation.BOOL_AND
    either = rules(
        tmp_path, f"operator: AND\n    conditions:\n      {NEW}", f"operator: OR\n    conditions:\n      {NEW}"
    )
    assert either.rules["is_new"].operator is Operator.OR


def test_a_plan_rule_may_ask_for_the_status_of_the_contract(tmp_path: Path) -> None:
    text = (SHIPPED / STATUS_FILE).read_text(encoding="utf-8")
    head, tail = text.rsplit(NOT_AWARD_ONLY, 1)
    stopped = "- {type: field_equals, field: contract_status, value: 停缴}"
    (tmp_path / STATUS_FILE).write_text(head + stopped + tail, encoding="utf-8")
    read = load_status_rules(tmp_path).rules["is_churned_this_year_plan"].conditions[1]
    assert isinstance(read, FieldCompares)
    assert read.value == "停缴"


@pytest.mark.parametrize(
    ("was", "becomes", "place", "hint"),
    [
        ('schema_version: "1.0"', 'schema_version: "2.0"', "schema_version", "schema_version"),
        ("evaluation_rules:", "evaluation_rule:", "evaluation_rule", "did you mean 'evaluation_rules'"),
        ("  annual_award:\n    schema", "  annual_awards:\n    schema", "sources.annual_awards", "'annual_award'"),
        ("table: 规模明细", "table: 规模明细x", "sources.annuity_performance.table", "correct"),
        ("schema: customer", "schema: business", "sources.annual_award.schema", "correct"),
        ("[company_id, 年金计划号", "[company_id, 年金计划码", "sources.annual_award.key_fields", "'年金计划号'"),
        (", 产品线代码, 月度]", ", 产品线代码]", "is_churned_this_year.conditions[0].period_field", "correct"),
        ("  is_loss_reported:\n    desc", "  is_lost:\n    desc", "status_definitions.is_lost", "did you mean"),
        ("source: annual_award", "source: annual_awrd", "is_winning_this_year.source", "'annual_award'"),
        ("time_scope: yearly", "time_scope: weekly", "is_winning_this_year.time_scope", "correct"),
        ("description: 新中标", "describtion: 新中标", "is_winning_this_year.describtion", "'description'"),
        ("  is_new_arrival:\n    gran", "  is_new_arival:\n    gran", "rules.is_new_arival", "'is_new_arrival'"),
        ("granularity: plan", "granularity: product_line", "is_winning_this_year_plan.granularity", "correct"),
        ("operator: AND", "operator: XOR", "is_churned_this_year.operator", "'OR'"),
        ("type: exists_in_year", "type: exist_in_year", "conditions[0].type", "'exists_in_year'"),
        ("year_field: 上报月份", "year_field: 中标日期", "conditions[0].year_field", "correct"),
        ("measure: 期末资产规模", "measure: 供款", "conditions[0].measure", "correct"),
        ("  positive: 期末", "  positive: 期初", "is_new_arrival.conditions[0].positive", "correct"),
        ("source_field: product_line_code", "source_field: product_line", "match_fields[1].source_field", "_code'"),
        ("source_field: product_line_code", "source_field: plan_code", "match_fields[1].source_field", "_code'"),
        ("target_field: 产品线代码", "target_field: 产品线代号", "match_fields[1].target_field", "'产品线代码'"),
        ("target_field: 产品线代码", "target_field: 年金计划号", "match_fields[1].target_field", "correct"),
        (NOT_AWARD_ONLY, "- {type: field_equals, field: is_award, value: no}", "[1].field", "'is_award_only'"),
        (NOT_AWARD_ONLY, '- {type: field_equals, field: is_award_only, value: "no"}', "conditions[1].value", "correct"),
        (NOT_AWARD_ONLY, "- {type: field_gt, field: is_award_only, value: 1}", "conditions[1].field", "correct"),
        (NOT_AWARD_ONLY, "- {type: field_gt, field: aum_balance, value: 0.1}", "conditions[1].value", "correct"),
        (NOT_AWARD_ONLY, "- {type: field_gt, field: plan_count, value: true}", "conditions[1].value", "correct"),
        (NEW, "- {type: status_reference, status: is_wining_this_year}", "[0].status", "'is_winning_this_year'"),
        (NEW, "- {type: status_reference, status: is_loss_reported_plan}", "[0].status", "'is_loss_reported'"),
        (NEW, "- {type: status_reference}", "conditions[0].status", "correct"),
        (NEGATED, "{type: aggregated_field, field: is_existng}", "conditions[1].condition.field", "'is_existing'"),
        (NEGATED, "{type: aggregated_field, field: aum_balance}", "conditions[1].condition.field", "correct"),
        (NEGATED, "{type: aggregated_field, field: is_existing, aggregation: AVG}", "condition.aggregation", "correct"),
        (NEGATED, "{type: aggregated_field, field: is_existing, aggregation: AVG, gt: 0.5}", "condition.gt", "correct"),
        (NEGATED, "{type: aggregated_field, field: is_existing, aggregation: AVG, gt: true}", "condition.gt", ""),
        (NEGATED, "{type: aggregated_field, field: contract_status, aggregation: AVG, gt: 1}", "condition.field", ""),
        (NEGATED, "{type: aggregated_field, field: is_existing, aggregation: MAX, gt: 1}", "condition.field", ""),
        (NEGATED, "{type: aggregated_field, field: aum_balance, aggregation: SUM}", "condition.aggregation", "correct"),
        (NEGATED, "{type: aggregated_field, field: status_year, aggregation: MAX, gt: x}", "condition.gt", "correct"),
        (NEGATED, "{type: aggregated_field, field: is_existing, sql: 1=1}", "condition.sql", "correct"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_refused_with_its_place(tmp_path: Path, was: str, becomes: str, place: str, hint: str) -> None:
    with pytest.raises(ConfigError) as refused:
        rules(tmp_path, was, becomes)
    assert STATUS_FILE in str(refused.value)
    assert place in (refused.value.field or "")
    assert hint in (refused.value.hint or "")


def test_a_flag_without_a_rule_is_refused(tmp_path: Path) -> None:
    text = (SHIPPED / STATUS_FILE).read_text(encoding="utf-8")
    (tmp_path / STATUS_FILE).write_text(text[: text.index("  is_churned_this_year_plan:")], encoding="utf-8")
    with pytest.raises(ConfigError, match="missing") as refused:
        load_status_rules(tmp_path)
    assert refused.value.field == "evaluation_rules.is_churned_this_year_plan"


def test_first_months_are_known_for_company_and_product_line_only(tmp_path: Path) -> None:
    text = (SHIPPED / STATUS_FILE).read_text(encoding="utf-8")
    head, arrival, tail = text.partition("  is_new_arrival:\n    granularity")
    line = "          - {source_field: product_line_code, target_field: 产品线代码}\n"
    (tmp_path / STATUS_FILE).write_text(head + arrival + tail.replace(line, "", 1), encoding="utf-8")
    with pytest.raises(ConfigError) as refused:
        load_status_rules(tmp_path)
    assert refused.value.field == "evaluation_rules.is_new_arrival.conditions[0].match_fields"


def test_a_rule_that_contradicts_its_definition_is_refused(tmp_path: Path) -> None:
    churned = "source: annuity_performance\n    time_scope: monthly"
    with pytest.raises(ConfigError, match="contradict") as refused:
        rules(tmp_path, churned, "source: annual_loss\n    time_scope: yearly")
    assert refused.value.field == "evaluation_rules.is_churned_this_year.conditions"


def test_a_derived_status_may_look_anywhere(tmp_path: Path) -> None:
    churned = "source: annuity_performance\n    time_scope: monthly"
    assert rules(tmp_path, churned, "source: derived\n    time_scope: yearly")


def test_a_rule_that_uses_itself_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is_new → is_new"):
        rules(tmp_path, NEW, NEW.replace("is_winning_this_year", "is_new"))


def test_rules_that_wait_for_each_other_are_refused(tmp_path: Path) -> None:
    derived = (SHIPPED / STATUS_FILE).read_text(encoding="utf-8").replace("source: annual_award\n    time", DERIVED, 1)
    head, won, tail = derived.partition("  is_winning_this_year:\n    granularity: product_line\n    conditions:\n")
    circle = "      - {type: status_reference, status: is_new}\n"
    (tmp_path / STATUS_FILE).write_text(head + won + circle + tail, encoding="utf-8")
    with pytest.raises(ConfigError, match="wait for each other") as refused:
        load_status_rules(tmp_path)
    assert {"is_new", "is_winning_this_year"} <= set(str(refused.value.input_data).split(" → "))
