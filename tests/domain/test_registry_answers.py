"""What the registry's search answers mean: candidates, the surest of them, and what becomes of the name."""

from typing import Any

import pytest

from work_data_hub.domain.identity.names import normalise_name
from work_data_hub.domain.identity.registry_answers import SearchAnswer, former_names, nothing_found, parse_search
from work_data_hub.domain.identity.rules import IdentityRules
from work_data_hub.errors import RegistryUnavailable

pytestmark = pytest.mark.unit

EXACT, FUZZY, PINYIN = "全称精确匹配", "模糊匹配", "拼音"
NAME = "北京恒泰电力有限公司"


def item(
    company_id: Any = "600000001", name: Any = "恒泰电力集团", match_type: Any = FUZZY, **more: Any
) -> dict[str, Any]:
    return {"companyId": company_id, "companyFullName": name, "type": match_type, **more}


def answer(*items: Any, name: str = NAME, **rules: Any) -> SearchAnswer:
    parsed = {"list": list(items)}
    return parse_search(parsed, name=normalise_name(name), searched_name=name, rules=IdentityRules(**rules))


def best_id(found: SearchAnswer) -> str | None:
    return found.best.company_id if found.best else None


@pytest.mark.parametrize(
    ("match_type", "confidence", "outcome"),
    [
        (FUZZY, 0.8, "review"),
        (PINYIN, 0.6, "review"),
        ("别的", 0.7, "review"),
        (None, 0.7, "review"),
        ({"odd": 1}, 0.7, "review"),
    ],
)
def test_the_kind_of_match_says_how_sure_it_is(match_type: Any, confidence: float, outcome: str) -> None:
    found = answer(item(match_type=match_type))

    assert (found.confidence, found.outcome) == (confidence, outcome)


def test_a_match_worth_little_is_uncertain() -> None:
    found = answer(item(match_type=PINYIN), match_confidence={PINYIN: 0.59})

    assert (found.outcome, best_id(found)) == ("uncertain", "600000001")


@pytest.mark.parametrize("payload", [{"list": []}, {"list": None}])
def test_no_candidate_is_not_found(payload: dict[str, Any]) -> None:
    found = parse_search(payload, name=NAME, searched_name=NAME, rules=IdentityRules())

    assert found == nothing_found(NAME, searched_name=NAME)
    assert (found.outcome, found.confidence, found.best) == ("not_found", 0.0, None)


@pytest.mark.parametrize("payload", [{}, {"list": "无"}, {"list": [item(), "无"]}, {"list": {"0": item()}}])
def test_an_answer_without_a_list_of_companies_is_no_answer(payload: dict[str, Any]) -> None:
    with pytest.raises(RegistryUnavailable, match="no list of companies"):
        parse_search(payload, name=NAME, searched_name=NAME, rules=IdentityRules())


def test_the_surest_candidate_counts_wherever_it_stands() -> None:
    found = answer(item("600000001", match_type=PINYIN), item("600000002", match_type=FUZZY))

    assert (best_id(found), found.confidence) == ("600000002", 0.8)


def test_among_equals_the_first_counts() -> None:
    assert best_id(answer(item("600000001"), item("600000002", name="恒泰"))) == "600000001"


@pytest.mark.parametrize(("accept_from", "confidence"), [(0.9, 0.89), (0.905, 0.9), (1.0, 0.99)])
def test_between_two_companies_equally_sure_a_person_decides(accept_from: float, confidence: float) -> None:
    found = answer(item("600000001", match_type=EXACT), item("600000002", match_type=EXACT), accept_from=accept_from)

    assert (found.outcome, found.confidence) == ("review", confidence)


def test_one_company_listed_twice_is_no_doubt() -> None:
    twice = answer(*[item(match_type=EXACT, company_former_name=NAME)] * 2)

    assert (twice.confidence, twice.outcome) == (0.9, "accepted")


@pytest.mark.parametrize(("accept_from", "confidence"), [(0.9, 0.89), (1.0, 0.99)])
def test_a_match_of_the_full_name_that_has_another_name_is_for_a_person(accept_from: float, confidence: float) -> None:
    found = answer(item(match_type=EXACT, company_former_name="恒泰厂"), accept_from=accept_from)

    assert (best_id(found), found.confidence, found.outcome) == ("600000001", confidence, "review")


def test_a_match_of_the_full_name_is_certain() -> None:
    found = answer(item("600000002", match_type=EXACT), item(name=f"{NAME} ", match_type=EXACT))

    assert (best_id(found), found.confidence, found.outcome) == ("600000001", 1.0, "accepted")


def test_two_companies_of_one_full_name_are_worth_the_match_at_most_below_acceptance() -> None:
    found = answer(item("600000001", name=NAME, match_type=EXACT), item("600000002", name=NAME, match_type=EXACT))

    assert ([one.confidence for one in found.candidates], found.confidence) == ([1.0, 1.0], 0.89)


def test_doubt_does_not_raise_a_weak_match() -> None:
    assert answer(item("600000001", match_type=PINYIN), item("600000002", match_type=PINYIN)).confidence == 0.6


@pytest.mark.parametrize("written", [NAME, "北京恒泰电力有限公司（已转出）", " 北京恒泰电力有限公司-养老"])
def test_the_only_company_of_the_very_name_is_certain(written: str) -> None:
    found = answer(item("600000001"), item("600000002", name=NAME), name=written)

    assert (best_id(found), found.confidence, found.outcome) == ("600000002", 1.0, "accepted")


def test_two_companies_of_the_very_name_keep_what_their_match_is_worth() -> None:
    found = answer(item("600000001", name=NAME), item("600000002", name=NAME))

    assert (found.confidence, found.outcome) == (0.8, "review")


def test_a_match_by_a_former_name_is_less_sure() -> None:
    found = answer(item(company_former_name=f"恒泰厂，{NAME}"))

    assert (found.confidence, found.outcome) == (0.72, "review")


def test_a_former_name_that_was_not_asked_for_changes_nothing() -> None:
    assert answer(item(company_former_name="恒泰厂")).confidence == 0.8


def test_a_company_that_always_had_the_name_is_not_found_by_a_former_one() -> None:
    found = answer(item("600000001", name=NAME, company_former_name=NAME), item("600000002", name=NAME))

    assert [candidate.confidence for candidate in found.candidates] == [0.8, 0.8]


def test_confidence_is_never_rounded_up() -> None:
    found = answer(item(), match_confidence={FUZZY: 0.8999})

    assert (found.confidence, found.outcome) == (0.89, "review")


@pytest.mark.parametrize(
    "wrong",
    [
        item(None),
        item(""),
        item("0"),
        item("N"),
        item("待查"),
        item("INABCDEFGHIJKLMNOP"),
        item(True),
        item([1]),
        item("6" * 51),
        item("000"),
        item("UNKNOWN"),
        item("6000\x0000001"),
        item("600000001\x00"),
        item("\x1f600000001"),
        item("6000\ufffd00001"),
        item("ſ600000001"),
        item("6000\x0000001", id="600000001"),
        item(name=None),
        item(name="  "),
        item(name="-"),
        item(name={"x": 1}),
        {},
    ],
)
def test_a_candidate_without_usable_id_or_name_is_ignored_and_counted(wrong: dict[str, Any]) -> None:
    found = answer(wrong, item("600000002"))

    assert ([one.company_id for one in found.candidates], found.ignored) == (["600000002"], 1)


def test_an_id_of_fifty_characters_with_blanks_around_it_is_one() -> None:
    assert best_id(answer(item(f" \u3000c{'6' * 49}\n"))) == f"C{'6' * 49}"


def test_numbers_are_ids_too() -> None:
    assert [one.company_id for one in answer(item(600000001), item(600000002.0)).candidates] == [
        "600000001",
        "600000002",
    ]


def test_other_spellings_of_the_keys_are_read() -> None:
    found = answer({"company_id": "600000001", "coname": "恒泰", "creditCode": "91X", "rank_score": "3.5"})

    assert found.best is not None
    assert (found.best.name, found.best.unite_code, found.best.score) == ("恒泰", "91X", 3.5)


@pytest.mark.parametrize("score", ["很高", float("inf"), {"a": 1}, 10**400])
def test_a_score_that_is_no_number_is_none(score: Any) -> None:
    found = answer(item(_score=score))

    assert found.best is not None
    assert found.best.score is None


def test_the_answer_keeps_what_was_asked_and_the_item_as_it_came() -> None:
    raw = item(province="北京")
    found = answer(raw, name="北京恒泰电力有限公司（已转出）")

    assert (found.name, found.searched_name) == (NAME, "北京恒泰电力有限公司（已转出）")
    assert found.candidates[0].raw == raw


def test_former_names_are_split_normalised_and_told_once() -> None:
    assert former_names({"company_former_name": "恒泰厂，恒泰 厂、北京厂;－"}) == ("恒泰厂", "北京厂")
