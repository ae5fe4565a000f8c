from datetime import date
from pathlib import Path

import pytest

from work_data_hub.domain.identity.knowledge import IdentityBook
from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.errors import ConfigError
from work_data_hub.io.identity_config import (
    Override,
    Overrides,
    load_identity_overrides,
    load_identity_rules,
)

pytestmark = pytest.mark.unit

SHIPPED = Path(__file__).parents[2] / "config"
ENTRY = {"company_id": '"614810477"', "owner": "王五", "date": "2026-11-21", "reason": "合同"}


def entry(**cells: str | None) -> str:
    """An override in which only the cells that matter are named; None leaves one out."""
    kept = {key: value for key, value in (ENTRY | cells).items() if value is not None}
    return "{" + ", ".join(f"{key}: {value}" for key, value in kept.items()) + "}"


def overrides(folder: Path, *, plans: str = "", names: str = "") -> Overrides:
    place = folder / "mappings" / "company_id"
    place.mkdir(parents=True, exist_ok=True)
    for kind, entries in (("plan", plans), ("name", names)):
        if entries:
            text = f"version: 1\nentries:\n  {entries}\n"
            (place / f"company_id_overrides_{kind}.yml").write_text(text, encoding="utf-8")
    return load_identity_overrides(folder)


def rules(folder: Path, text: str) -> IdentityRules:
    (folder / "identity.yml").write_text(f"version: 1\n{text}\n", encoding="utf-8")
    return load_identity_rules(folder)


def test_the_shipped_overrides_are_the_ones_taken_over() -> None:
    shipped = load_identity_overrides(SHIPPED)

    assert shipped.plan_ids == {
        "FP0001": "614810477",
        "FP0002": "614810477",
        "FP0003": "610081428",
        "XNP596": "601038164",
        "XNP717": "616273364",
        "XNP706": "600027278",
        "XNP466": "603968573",
        "XNP467": "603968573",
        "SC002": "604809109",
        "SC007": "602790403",
    }
    assert shipped.name_ids == {
        "宣城城建城市运营管理有限公司": "1918884945",
        "内江筑石混泥土有限公司": "606285385",
        "保留账户管理": "__EMPTY__",
        "平安-中信锦绣人生企业年金计划保留计划(受托)": "__EMPTY__",
        "金坛市原企业年金基金转制无主户企业": "__EMPTY__",
    }


def test_the_shipped_overrides_say_honestly_where_they_come_from() -> None:
    shipped = load_identity_overrides(SHIPPED)
    told = {(one.owner, one.date, one.reason) for one in (*shipped.plans.values(), *shipped.names.values())}

    assert told == {("数据组", date(2026, 11, 21), "taken over from the earlier system, which gave none")}


def test_the_shipped_overrides_make_a_book() -> None:
    shipped = load_identity_overrides(SHIPPED)
    book = IdentityBook.from_entries(plans=shipped.plan_ids, names=shipped.name_ids, salt="test")

    assert book.plan_overrides["SC007"] == "602790403"
    assert book.name_overrides[normalise_name("平安-中信锦绣人生企业年金计划保留计划(受托)")] is None


def test_without_files_nothing_is_settled(tmp_path: Path) -> None:
    assert load_identity_overrides(tmp_path) == Overrides()
    assert overrides(tmp_path, plans="{}") == Overrides()


@pytest.mark.parametrize("kind", ["plan", "name"])
def test_entries_that_hold_nothing_are_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match=rf"company_id_overrides_{kind}\.yml") as refused:
        overrides(tmp_path, **{f"{kind}s": "# FP9: later"})

    assert (refused.value.field, "entries: {}" in str(refused.value)) == ("entries", True)


def test_a_plan_that_stands_for_none_has_no_override(tmp_path: Path) -> None:
    (tmp_path / "mappings").mkdir()
    (tmp_path / "mappings" / "plan_defaults.yml").write_text("version: 1\nentries: {集合计划: AN001}", encoding="utf-8")

    with pytest.raises(ConfigError, match=r"company_id_overrides_plan\.yml") as refused:
        overrides(tmp_path, plans=f"AN001: {entry()}")

    assert (refused.value.field, "plan_defaults.yml" in str(refused.value)) == ("entries.AN001", True)
    assert list(overrides(tmp_path, plans=f"AN002: {entry()}").plans) == ["AN002"]


@pytest.mark.parametrize("day", ["2026-11-21", '"2026-11-21"'])
def test_an_override_has_an_owner_a_day_and_a_reason(tmp_path: Path, day: str) -> None:
    found = overrides(tmp_path, plans=f"FP9: {entry(date=day)}")

    expected = Override(company_id="614810477", owner="王五", date=date(2026, 11, 21), reason="合同")
    assert found.plans == {"FP9": expected}


def test_an_override_is_found_by_any_spelling_of_its_name(tmp_path: Path) -> None:
    found = overrides(tmp_path, names=f"甲公司: {entry()}")

    assert found.of_name("「甲 公司」-已转出") == found.names["甲公司"]
    assert found.of_name("乙公司") is found.of_name("") is None


@pytest.mark.parametrize("missing", ENTRY)
def test_all_four_facts_are_required(tmp_path: Path, missing: str) -> None:
    with pytest.raises(ConfigError) as refused:
        overrides(tmp_path, plans=f"FP9: {entry(**{missing: None})}")

    assert refused.value.field == f"entries.FP9.{missing}"
    assert "company_id_overrides_plan.yml" in str(refused.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("company_id", "614810477"),
        ("company_id", '"待查"'),
        ("company_id", "UNKNOWN"),
        ("company_id", '"N/A"'),
        ("company_id", '"0"'),
        ("company_id", '"000"'),
        ("company_id", '"c1"'),
        ("company_id", '"61481 0477"'),
        ("company_id", "INABCDEFGH234567AB"),
        ("company_id", '"' + "1" * 51 + '"'),
        ("company_id", "__EMPTY__"),
        ("owner", '" "'),
        ("reason", "7"),
        ("date", "20261121"),
        ("date", '"20261121"'),
        ("date", '"2026-W47-6"'),
        ("date", '"2026-02-30"'),
        ("date", "2026-11-21 10:00:00"),
    ],
)
def test_a_wrong_fact_of_a_plan_is_refused(tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ConfigError) as refused:
        overrides(tmp_path, plans=f"FP9: {entry(**{key: value})}")

    assert refused.value.field == f"entries.FP9.{key}"


@pytest.mark.parametrize(
    ("plans", "words"),
    [
        (f"FP9: {entry(owners='x')}", "did you mean 'owner'"),
        ('FP9: "614810477"', "a block of keys and values"),
        (f"fp9: {entry()}", "capitals"),
        (f"FP-9: {entry()}", "dash"),
        (f"9: {entry()}", "in quotes"),
        (f"FP9: {entry()}\n  FP9: {entry()}", "stands twice"),
        (f"FP9: {entry()}\nversions: 2", "did you mean 'version'"),
        ("[", "not valid YAML"),
        (f"FP9: {entry(date='2026-02-30')}", "not valid YAML"),
    ],
)
def test_a_wrong_file_of_plans_names_file_and_key(tmp_path: Path, plans: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"company_id_overrides_plan\.yml") as refused:
        overrides(tmp_path, plans=plans)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    ("names", "words"),
    [
        (f"空白: {entry()}", "stands for none"),
        (f"已转出: {entry()}", "stands for none"),
        (f"甲公司: {entry()}\n  甲公司-已转出: {entry()}", "甲公司 has this one too"),
    ],
)
def test_names_without_a_form_and_two_of_one_form_are_refused(tmp_path: Path, names: str, words: str) -> None:
    with pytest.raises(ConfigError, match=r"company_id_overrides_name\.yml") as refused:
        overrides(tmp_path, names=names)

    assert words in str(refused.value)


@pytest.mark.parametrize(
    "name",
    [
        "mappings/company_id_overrides_plan.yml",
        "mappings/company_id/company_id_overrides_names.yml",
        "mappings/company_id/company_id_overrides_name.yaml",
    ],
)
def test_a_file_that_would_be_overlooked_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "mappings" / "company_id").mkdir(parents=True)
    (tmp_path / name).write_text("version: 1\nentries: {}\n", encoding="utf-8")

    with pytest.raises(ConfigError) as refused:
        load_identity_overrides(tmp_path)

    assert (refused.value.file, "move the entries" in str(refused.value)) == (str(tmp_path / name), True)


def test_the_shipped_rules_are_the_defaults() -> None:
    text = (SHIPPED / "identity.yml").read_text(encoding="utf-8")

    assert load_identity_rules(SHIPPED) == IdentityRules()
    assert all(f"\n{name}:" in text for name in IdentityRules.__dataclass_fields__)


def test_without_a_file_or_a_key_the_defaults_count(tmp_path: Path) -> None:
    assert load_identity_rules(tmp_path) == rules(tmp_path, "") == IdentityRules()


def test_every_threshold_can_be_set(tmp_path: Path) -> None:
    found = rules(
        tmp_path,
        "match_confidence: {全称精确匹配: 0.9}\nother_match_confidence: 0\nformer_name_factor: 1\n"
        "accept_from: 0.8\nreview_from: 0.8\nlesson_confidence: {plan_code: 0.5}\nlearning_domains: [annual_loss]\n"
        "least_rows: 1\nsurest_doubt: 0.5\nregistry_days: 90\nsearched_days: 0",
    )

    assert found == IdentityRules(
        match_confidence={"全称精确匹配": 0.9},
        other_match_confidence=0.0,
        former_name_factor=1.0,
        accept_from=0.8,
        review_from=0.8,
        lesson_confidence={"plan_code": 0.5, "customer_name": 0.85, "plan_customer": 0.9},
        learning_domains=("annual_loss",),
        least_rows=1,
        surest_doubt=0.5,
        registry_days=90,
        searched_days=0,
    )


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("accept_form: 0.9", "accept_form"),
        ("accept_from: 1.01", "accept_from"),
        ("accept_from: -0.1", "accept_from"),
        ("accept_from: .nan", "accept_from"),
        ("accept_from: true", "accept_from"),
        ('accept_from: "0.9"', "accept_from"),
        ("accept_from: 0.905", "accept_from"),
        ("accept_from: null", "accept_from"),
        ("accept_from: 0.5", "review_from"),
        ("former_name_factor: 2", "former_name_factor"),
        ("match_confidence: {拼音: 60}", "match_confidence.拼音"),
        ("match_confidence: [1]", "match_confidence"),
        ("lesson_confidence: {former_name: 0.9}", "lesson_confidence.former_name"),
        ("lesson_confidence: {plan_code: two}", "lesson_confidence.plan_code"),
        ("learning_domains: [annuity_performence]", "learning_domains"),
        ("learning_domains: [sandbox_trustee_performance]", "learning_domains"),
        ("learning_domains: [annual_loss, annual_loss]", "learning_domains"),
        ("least_rows: 0", "least_rows"),
        ("least_rows: 2.5", "least_rows"),
        ("registry_days: 0", "registry_days"),
        ("searched_days: -1", "searched_days"),
        ("searched_days: 100000000", "searched_days"),
        ("searched_days: true", "searched_days"),
        ("searched_days: null", "searched_days"),
    ],
)
def test_a_wrong_threshold_names_file_and_key(tmp_path: Path, text: str, field: str) -> None:
    with pytest.raises(ConfigError, match=r"identity\.yml") as refused:
        rules(tmp_path, text)

    assert refused.value.field == field
