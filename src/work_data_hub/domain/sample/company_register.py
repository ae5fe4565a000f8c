"""What the simulated registry answers about its companies: searches, details, labels, as JSON values."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from work_data_hub.domain.sample.companies import SampleCompany, organisation_code
from work_data_hub.domain.sample.sounds import sound_of

EXACT, FUZZY, PINYIN = "全称精确匹配", "模糊匹配", "拼音"
Json = dict[str, Any]

_MOST_ANSWERS = 10
_SHORTEST_PART = 4
_WORTH = {EXACT: 100.0, FUZZY: 80.0, PINYIN: 60.0}
_WIDTH = {wide: chr(wide - 0xFEE0) for wide in range(0xFF01, 0xFF5F)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A company that answers a search; `former_name` is the one it was found by, None where it was another's."""

    company: SampleCompany
    type: str
    score: float
    former_name: str | None = None


class CompanyRegister:
    """Companies with the ways to find them; knows nothing of HTTP and never changes."""

    def __init__(self, companies: Iterable[SampleCompany]) -> None:
        self.companies: Mapping[str, SampleCompany] = {company.company_id: company for company in companies}
        self._full = _by(self.companies.values(), lambda company: (folded(company.full_name),))
        self._former = _by(self.companies.values(), lambda company: map(folded, company.former_names))
        self._short = _by(self.companies.values(), lambda company: (folded(company.short_name),))
        self._sound = _by(self.companies.values(), lambda company: (sound_of(folded(company.full_name)),))
        self._nearly = _by(self.companies.values(), lambda company: _without_one(folded(company.full_name)))

    def matches(self, name: str) -> list[Match]:
        """Return who answers to the name, the likeliest first, ten at most.

        In this order: the same full name; another that sounds the same, or the name in pinyin; a former name,
        one character too many, too few or another, the short name, or one name being part of the other.
        """
        asked = folded(name)
        found: dict[str, Match] = {}
        for match in self._ways(asked) if asked else ():
            found.setdefault(match.company.company_id, match)
        ranked = sorted(found.values(), key=lambda match: (-match.score, match.company.company_id))
        return ranked[:_MOST_ANSWERS]

    def _ways(self, asked: str) -> Iterator[Match]:
        for company in self._full.get(asked, ()):
            yield Match(company=company, type=EXACT, score=_WORTH[EXACT])
        for company in self._former.get(asked, ()):
            former = next(name for name in company.former_names if folded(name) == asked)
            yield Match(company=company, type=FUZZY, score=_WORTH[FUZZY], former_name=former)
        for company in self._sound.get(sound_of(asked), ()):
            yield Match(company=company, type=PINYIN, score=_WORTH[PINYIN])
        for company in self._alike(asked):
            gap = abs(len(folded(company.full_name)) - len(asked))
            yield Match(company=company, type=FUZZY, score=_WORTH[FUZZY] - min(gap + 1, 19))

    def _alike(self, asked: str) -> Iterator[SampleCompany]:
        for key in _without_one(asked):
            near = (*self._full.get(key, ()), *self._nearly.get(key, ()))
            yield from (company for company in near if _is_one_edit(asked, folded(company.full_name)))
        yield from self._nearly.get(asked, ())
        yield from self._short.get(asked, ())
        if len(asked) >= _SHORTEST_PART:
            for full, companies in self._full.items():
                if asked in full or full in asked:
                    yield from companies


def folded(name: str) -> str:
    """Return the name in one width and in capitals, without blanks: how the registry compares."""
    return "".join(name.translate(_WIDTH).upper().split())


def search_item(match: Match, *, name: str) -> Json:
    """Return one entry of a search's `list` as the registry writes it; `name` is what was asked for."""
    company = match.company
    return {
        "companyId": company.company_id,
        "companyFullName": company.full_name,
        "company_short_name": company.short_name,
        "unite_code": company.unite_code,
        "type": match.type,
        "_score": match.score,
        "rank_score": company.score,
        "default_score": 1.0,
        "search_key_word": name,
        "name_display": company.full_name,
        "company_former_name": match.former_name or ",".join(company.former_names),
        "organization_code": organisation_code(company.company_id),
        "le_rep": company.legal_person,
        "est_date": company.registered_date,
        "reg_cap": company.registered_capital,
        "registered_status": company.status,
        "province": company.province,
        "country": "中国",
        "is_hk": 0,
        "is_list": 0,
        "is_debt": 0,
        "is_normal": int(company.status != "注销"),
    }


def detail_answer(company: SampleCompany | None) -> Json:
    """Return the body of findDepart, the misspelt keys as the registry has them; empty for nobody."""
    return {"businessInfodto": {} if company is None else {**_business(company), **_contact(company)}}


def _business(company: SampleCompany) -> Json:
    return {
        "company_id": company.company_id,
        "company_name": company.full_name,
        "company_former_name": ",".join(company.former_names),
        "legal_person_name": company.legal_person,
        "legalPersonId": f"P{company.company_id}",
        "registerCaptial": company.registered_capital,
        "actualCapi": company.actual_capital,
        "registeredCapitalCurrency": company.currency,
        "currency": company.currency,
        "registered_date": company.registered_date,
        "start_date": company.registered_date,
        "end_date": company.end_date,
        "start_end": f"{company.registered_date}至{company.end_date}",
        "updateTime": company.update_time,
        "registered_status": company.status,
        "collegues_num": company.staff,
        "credit_code": company.unite_code,
        "register_code": company.unite_code[2:15],
        "organization_code": organisation_code(company.company_id),
        "company_type": "有限责任公司(自然人投资或控股)",
        "typeCode": "1130",
        "fullRegisterTypeDesc": "内资企业-有限责任公司",
        "industry_name": company.industry,
        "industryCode": company.industry_code,
    }


def _contact(company: SampleCompany) -> Json:
    return {
        "registration_organ_name": f"{company.province}市场监督管理局",
        "address": f"{company.province}人民路{int(company.company_id) % 900 + 1}号",
        "province": company.province,
        "business_scope": f"{company.industry}；依法须经批准的项目，经相关部门批准后方可开展经营活动。",
        "company_en_name": f"{sound_of(company.short_name).title()} Co., Ltd.",
        "telephone": f"010-{int(company.company_id) % 10**8:08d}",
        "email_address": f"office{company.company_id}@example.com",
        "website": f"https://c{company.company_id}.example.com",
        "logoUrl": "",
        "codename": "",
        "control_id": "",
        "control_name": "",
        "bene_id": "",
        "bene_name": company.legal_person,
        "department": None,
    }


def labels_answer(company: SampleCompany | None) -> Json:
    """Return the body of findLabels: one group a kind, levels as lv1Name to lv4Name; no groups for nobody."""
    groups: dict[str, list[Json]] = defaultdict(list)
    for label in company.labels if company else ():
        levels = {f"lv{number}Name": level or None for number, level in enumerate(label.levels, start=1)}
        known = company.company_id if company and label.names_company else None
        groups[label.kind].append({"companyId": known, **levels})
    return {"labels": [{"type": kind, "labels": labels} for kind, labels in groups.items()]}


def _by(
    companies: Iterable[SampleCompany], keys: Callable[[SampleCompany], Iterable[str]]
) -> dict[str, list[SampleCompany]]:
    found: dict[str, list[SampleCompany]] = defaultdict(list)
    for company in companies:
        for key in keys(company):
            found[key].append(company)
    return dict(found)


def _without_one(name: str) -> set[str]:
    return {name[:place] + name[place + 1 :] for place in range(len(name))}


def _is_one_edit(one: str, other: str) -> bool:
    """Say whether one character more, less or another makes one name the other."""
    short, long = sorted((one, other), key=len)
    at = next((place for place, (a, b) in enumerate(zip(short, long, strict=False)) if a != b), len(short))
    return short[at + (len(short) == len(long)) :] == long[at + 1 :]
