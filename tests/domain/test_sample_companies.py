"""The invented companies of the simulated registry, and how it finds them."""

from collections import Counter
from dataclasses import replace

import pytest

from work_data_hub.domain.sample.companies import (
    SampleCompany,
    company_universe,
    organisation_code,
    sample_company,
    unite_code,
    unregistered_names,
)
from work_data_hub.domain.sample.company_register import (
    EXACT,
    FUZZY,
    PINYIN,
    CompanyRegister,
    Match,
    detail_answer,
    labels_answer,
    search_item,
)
from work_data_hub.domain.sample.plans import plan_book
from work_data_hub.domain.sample.sounds import sound_of

pytestmark = pytest.mark.unit

SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # pragma: allowlist secret
WEIGHTS = (1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28)
UNIVERSE = company_universe()
HENGTAI = sample_company("北京恒泰电力有限公司", company_id="600000001")
HONGTU = sample_company("上海宏图化工股份有限公司", company_id="600000002", former_names=("上海旧名化工厂",))
OTHER = sample_company("青岛明珠港务集团有限公司", company_id="600000003", former_names=("共同旧名公司",))
THIRD = sample_company("昆明龙腾烟草有限公司", company_id="600000004", former_names=("共同旧名公司",))


def found(name: str, *companies: SampleCompany) -> list[tuple[str, str]]:
    matches = CompanyRegister(companies or (HENGTAI, HONGTU, OTHER, THIRD)).matches(name)
    return [(match.company.full_name, match.type) for match in matches]


def test_same_seed_gives_the_same_companies() -> None:
    assert company_universe(size=300) == company_universe(size=300)
    assert company_universe(size=300) != company_universe(size=300, seed=8)


def test_ids_names_and_codes_are_distinct() -> None:
    for field in ("company_id", "full_name", "unite_code"):
        assert len({getattr(company, field) for company in UNIVERSE}) == len(UNIVERSE) == 5_000


def test_companies_of_the_sample_months_have_the_ids_of_their_book() -> None:
    book, known = plan_book(7).company_ids, {company.full_name: company.company_id for company in UNIVERSE}

    missing = book.keys() - known.keys()
    assert {name: known[name] for name in book if name in known} == {
        name: company_id for name, company_id in book.items() if name not in missing
    }
    assert missing == unregistered_names()
    assert 20 < len(missing) < 100


def test_the_sample_never_tells_the_id_of_a_company_that_is_not_registered() -> None:
    ids = plan_book(7).company_ids
    assert {int(ids[name]) % 3 for name in unregistered_names() if name != "保留账户管理"} == {0}


def test_named_companies_come_beside_the_others() -> None:
    universe = company_universe(size=50, names=["某某新公司", plan_book(7).companies[2_000]])

    assert len(universe) == 52
    assert universe[-2].full_name == "某某新公司"
    assert universe[-1].company_id == plan_book(7).company_ids[plan_book(7).companies[2_000]]


def test_a_company_is_the_same_in_a_smaller_universe() -> None:
    small, large = company_universe(size=100)[0], UNIVERSE[0]
    assert small == replace(large, former_names=small.former_names)


def test_some_companies_share_a_former_name() -> None:
    times = Counter(name for company in UNIVERSE for name in company.former_names)

    assert set(times.values()) == {1, 2}
    assert not times.keys() & {company.full_name for company in UNIVERSE}


def test_some_names_differ_by_one_character() -> None:
    full = {company.full_name for company in UNIVERSE}
    twins = [name for name in full if name[2] == "新" and any(name[:2] + "恒" + name[3:] == other for other in full)]
    assert twins


@pytest.mark.parametrize(
    "field", ["registered_capital", "registered_date", "end_date", "staff", "status", "industry_code"]
)
def test_facts_are_written_in_many_ways(field: str) -> None:
    assert len({getattr(company, field) for company in UNIVERSE}) > 1


def test_capital_and_staff_hold_what_cleaning_must_bear() -> None:
    assert {"1,000万元", "1.5亿元", "500万美元", "-", ""} <= {company.registered_capital for company in UNIVERSE}
    assert {"少于50人", "100-499人", "企业选择不公示", "超过10000人"} <= {company.staff for company in UNIVERSE}


def test_credit_codes_check() -> None:
    for company in UNIVERSE[::50]:
        code = company.unite_code
        total = sum(SIGNS.index(sign) * weight for sign, weight in zip(code, WEIGHTS, strict=False))
        assert len(code) == 18
        assert (total + SIGNS.index(code[17])) % 31 == 0


def test_the_organisation_code_stands_in_the_credit_code() -> None:
    eight, check = organisation_code("614810477").split("-")
    total = sum(
        int(sign, 36) * weight for sign, weight in zip(eight, (3, 7, 9, 10, 5, 8, 4, 2), strict=True)
    ) + "0123456789X".index(check)

    assert unite_code("614810477")[8:17] == eight + check
    assert total % 11 == 0


def test_every_sign_of_the_names_has_a_sound() -> None:
    unheard = {sign for company in UNIVERSE for sign in sound_of(company.full_name) if "一" <= sign <= "龥"}
    assert unheard == set()


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        ("北京恒泰电力有限公司", EXACT),
        (" 北京恒泰 电力有限公司　", EXACT),
        ("北京恒泰电力有限公", FUZZY),  # one character short
        ("北京恒电力有限公司", FUZZY),
        ("北京恒泰电火力有限公司", FUZZY),  # one too many
        ("北京恒泰电刀有限公司", FUZZY),  # another
        ("北京恒泰电力", FUZZY),  # no legal form
        ("恒泰电力有限公司", FUZZY),  # no place
        ("恒泰电力", FUZZY),  # its short name
        ("北京恒泰电力有限公司朝阳分公司", FUZZY),
        ("北京亨太电力有限公司", PINYIN),  # sounds the same
        ("Beijing Hengtai Dianli Youxian Gongsi", PINYIN),
    ],
)
def test_ways_to_find_a_company(asked: str, kind: str) -> None:
    assert found(asked) == [("北京恒泰电力有限公司", kind)]


@pytest.mark.parametrize(
    "asked", ["", "　", "公", "有限", "火星矿业有限责任公司", "北京恒太电刀有限公司", "北京泰恒电力有限公司"]
)
def test_what_nobody_answers_to(asked: str) -> None:
    assert found(asked) == []


def test_former_name_finds_the_company_and_is_told() -> None:
    match = CompanyRegister([HONGTU]).matches("上海旧名化工厂")[0]
    item = search_item(match, name="上海旧名化工厂")

    assert (item["type"], item["companyId"]) == (FUZZY, "600000002")
    assert item["company_former_name"] == "上海旧名化工厂"


def test_shared_former_name_finds_both() -> None:
    assert [name for name, _ in found("共同旧名公司")] == [OTHER.full_name, THIRD.full_name]


def test_the_exact_name_comes_before_its_twin() -> None:
    twin = sample_company("北京新泰电力有限公司", company_id="500000000")
    assert found("北京恒泰电力有限公司", twin, HENGTAI) == [(HENGTAI.full_name, EXACT), (twin.full_name, FUZZY)]


def test_at_most_ten_answer() -> None:
    many = [sample_company(f"北京恒泰电力有限公司{number}", company_id=f"{number}") for number in range(10, 40)]
    assert len(found("北京恒泰电力有限公司", *many)) == 10


def test_search_item_has_the_keys_that_are_read() -> None:
    item = search_item(Match(company=HENGTAI, type=EXACT, score=100.0), name="恒泰")

    assert item["companyId"] == "600000001"
    assert {"companyFullName", "unite_code", "type", "_score", "rank_score", "company_former_name"} <= item.keys()


def test_detail_has_the_misspelt_keys() -> None:
    detail = detail_answer(HENGTAI)["businessInfodto"]

    assert (detail["registerCaptial"], detail["collegues_num"]) == (HENGTAI.registered_capital, HENGTAI.staff)
    assert {"actualCapi", "legalPersonId", "updateTime", "typeCode", "fullRegisterTypeDesc"} <= detail.keys()


def test_labels_have_groups_levels_and_the_shifted_place() -> None:
    groups = {group["type"]: group["labels"] for group in labels_answer(HENGTAI)["labels"]}

    assert groups["区域分类"][0]["lv1Name"] == "地区分类"
    assert groups["区域分类"][0]["lv3Name"] == "北京"
    assert groups["行业分类"][0].keys() == {"companyId", "lv1Name", "lv2Name", "lv3Name", "lv4Name"}


def test_some_labels_leave_the_company_out() -> None:
    ids = {
        label["companyId"]
        for company in UNIVERSE[:20]
        for group in labels_answer(company)["labels"]
        for label in group["labels"]
    }
    assert None in ids


def test_nobody_has_an_empty_detail_and_no_labels() -> None:
    assert (detail_answer(None), labels_answer(None)) == ({"businessInfodto": {}}, {"labels": []})
