"""The invented companies that the simulated registry knows: those of the sample months, and more."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import islice
from random import Random

from work_data_hub.domain.sample.names import WELL_KNOWN, company_names
from work_data_hub.domain.sample.plans import Book, plan_book

LABEL_KINDS = ("行业分类", "区域分类", "规模分类")
_SHARED_EVERY, _FORMER_EVERY, _TWIN_EVERY = 250, 12, 100
_FIRST_INVENTED_ID = 700_000_000
_UNREGISTERED_EVERY = 60
_NO_COMPANY = WELL_KNOWN[2]

_LEGAL_FORMS = str.split(
    "投资中心（有限合伙） 会计师事务所（特殊普通合伙） 集团股份有限公司 集团有限公司 股份有限公司 有限责任公司 "
    "有限公司 研究院"
)
_CITIES_OF = {
    "广东": "深圳 广州",
    "江苏": "南京 苏州",
    "浙江": "杭州 宁波",
    "山东": "济南 青岛",
    "辽宁": "沈阳 大连",
    "福建": "厦门",
    "湖北": "武汉",
    "湖南": "长沙",
    "河南": "郑州",
    "河北": "石家庄",
    "山西": "太原",
    "陕西": "西安",
    "四川": "成都 内江",
    "云南": "昆明",
    "贵州": "贵阳",
    "广西": "南宁",
    "江西": "南昌",
    "安徽": "合肥 宣城",
    "吉林": "长春",
    "黑龙江": "哈尔滨",
    "甘肃": "兰州",
}
_REGIONS = {
    "华北": "北京 天津 河北 山西 内蒙古",
    "东北": "辽宁 吉林 黑龙江",
    "华东": "上海 江苏 浙江 安徽 福建 江西 山东",
    "华中": "河南 湖北 湖南",
    "华南": "广东 广西 海南",
    "西南": "重庆 四川 贵州 云南 西藏",
    "西北": "陕西 甘肃 青海 宁夏 新疆",
}
_CITIES = {city: province for province, cities in _CITIES_OF.items() for city in cities.split()}
_REGION_OF = {province: region for region, provinces in _REGIONS.items() for province in provinces.split()}
_INDUSTRIES = (
    ("D4411", "电力、热力、燃气及水生产和供应业", "电力、热力生产和供应业", "电力生产", "火力发电"),
    ("C2614", "制造业", "化学原料和化学制品制造业", "基础化学原料制造", "有机化学原料制造"),
    ("E4812", "建筑业", "土木工程建筑业", "铁路、道路、隧道和桥梁工程建筑", "公路工程建筑"),
    ("I6510", "信息传输、软件和信息技术服务业", "软件和信息技术服务业", "软件开发", "应用软件开发"),
    ("K7020", "房地产业", "房地产业", "物业管理", ""),
    ("J6620", "金融业", "货币金融服务", "货币银行服务", "商业银行服务"),
)
_STAFF = ("少于50人", "50-99人", "100-499人", "1000人", "1,250", "5000-9999人", "超过10000人", "企业选择不公示", "")
_CAPITALS = (
    *("1,000万元", "5000万元", "10000.000000万元人民币", "1.5亿元", "500万美元", "300万元", "800,000元", "2亿元人民币"),
    *("-", ""),
)
_SURNAMES, _GIVEN = "赵钱孙李周吴郑王冯陈", "伟芳娜敏静强磊军洋勇"
_STATUSES = (*("存续",) * 8, "在营（开业）企业", "注销")
_DAY_FORMS = ("%Y-%m-%d", "%Y年%m月%d日", "%Y/%m/%d", "%Y%m%d", "%Y-%m-%d 00:00:00", "%Y.%m.%d")
_ENDLESS = ("", "无固定期限", "长期")


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLabel:
    """A label of one kind in four levels, "" where a level is not given."""

    kind: str
    levels: tuple[str, str, str, str]
    names_company: bool  # the registry leaves the company's id out of some labels


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCompany:
    """A company as the registry shows it: days, capital and staff as text in one of several spellings."""

    company_id: str
    full_name: str
    short_name: str
    unite_code: str
    former_names: tuple[str, ...]
    registered_capital: str
    actual_capital: str
    currency: str
    registered_date: str
    end_date: str
    update_time: str
    legal_person: str
    province: str
    industry: str
    industry_code: str
    staff: str
    status: str
    labels: tuple[SampleLabel, ...]
    score: float


def company_universe(*, seed: int = 7, size: int = 5_000, names: Iterable[str] = ()) -> tuple[SampleCompany, ...]:
    """Return `size` companies, and beside them those of `names`; ids and names are distinct.

    First come companies of the sample months of this seed, with the ids of their book, as far as they are
    registered (see `unregistered_names`); at least a tenth of the rest is invented. Some invented ones differ
    from a company of the book by one character. Every twelfth company has a former name of its own, and a few
    share one with another company. A company's facts depend on the seed and its name alone, not on `size`.
    """
    ids = _registered_ids(seed, size=size, names=tuple(names))
    former = _former_names(seed, tuple(ids))
    return tuple(
        sample_company(name, company_id=company_id, seed=seed, former_names=former.get(name, ()))
        for name, company_id in ids.items()
    )


def unregistered_names(*, seed: int = 7) -> frozenset[str]:
    """Return the names of the sample months that the registry does not know, one in sixty.

    The sample's own column of company ids is blank for each of them.
    """
    book = plan_book(seed)
    return frozenset(book.companies) - _registered(book).keys()


def sample_company(
    full_name: str, *, company_id: str, seed: int = 7, former_names: tuple[str, ...] = ()
) -> SampleCompany:
    """Return a company of this name, everything else invented from the seed and the name."""
    rng = Random(f"{seed}:company:{full_name}")
    code, *industry = rng.choice(_INDUSTRIES)
    capital = rng.choice(_CAPITALS)
    founded = date(1985, 1, 1) + timedelta(days=rng.randrange(13_000))
    province = _province(full_name)
    return SampleCompany(
        company_id=company_id,
        full_name=full_name,
        short_name=_short_name(full_name),
        unite_code=unite_code(company_id),
        former_names=former_names,
        registered_capital=capital,
        actual_capital=capital if rng.random() < 0.5 else rng.choice(_CAPITALS),
        currency="美元" if "美元" in capital else "人民币",
        registered_date=_day(founded, rng),
        end_date=_day(founded + timedelta(days=365 * 30), rng) if rng.random() < 0.4 else rng.choice(_ENDLESS),
        update_time=_day(date(2024, 1, 1) + timedelta(days=rng.randrange(300)), rng),
        legal_person=rng.choice(_SURNAMES) + rng.choice(_GIVEN) + rng.choice(("", rng.choice(_GIVEN))),
        province=province,
        industry=industry[1],
        industry_code=code,
        staff=rng.choice(_STAFF),
        status=rng.choice(_STATUSES),
        labels=tuple(_labels(tuple(industry), province, rng)),
        score=round(1 + rng.random() * 9, 4),
    )


def unite_code(company_id: str) -> str:
    """Return a valid unified social credit code (GB 32100-2015) of its own for the id."""
    organisation = organisation_code(company_id).replace("-", "")
    head = f"91110000{organisation}"
    total = sum(_CODE_SIGNS.index(sign) * 3**place for place, sign in enumerate(head))
    return head + _CODE_SIGNS[-total % 31]


def organisation_code(company_id: str) -> str:
    """Return a valid organisation code (GB 11714-1997) of its own for the id: eight signs, a dash, a check sign."""
    number, signs = int(company_id), ""
    for _ in range(8):
        number, digit = divmod(number, len(_CODE_SIGNS))
        signs = _CODE_SIGNS[digit] + signs
    # Here a letter counts by its place in the whole alphabet, unlike in the code around it.
    total = sum(int(sign, 36) * weight for sign, weight in zip(signs, (3, 7, 9, 10, 5, 8, 4, 2), strict=True))
    return f"{signs}-{'0123456789X'[-total % 11]}"


_CODE_SIGNS = "0123456789ABCDEFGHJKLMNPQRTUWXY"  # pragma: allowlist secret


def _registered_ids(seed: int, *, size: int, names: tuple[str, ...]) -> dict[str, str]:
    """Return the id of every registered name: of the book first, then twins of those, then strangers."""
    book = plan_book(seed)
    known = _registered(book)
    ids = dict(islice(known.items(), max(size * 9 // 10, 1)))
    new = _new_names(seed, tuple(ids), taken=book.company_ids.keys(), count=size - len(ids))
    taken = set(book.company_ids.values())
    for name in dict.fromkeys(name for name in (*new, *names) if name not in ids):
        ids[name] = known.get(name) or _new_id(f"{seed}:id:{name}", taken=taken)
        taken.add(ids[name])
    return ids


def _registered(book: Book) -> dict[str, str]:
    """Return the ids of the book's companies that the registry knows; of two with one id, the first."""
    first = {company_id: name for name, company_id in reversed(book.company_ids.items())}
    return {
        name: company_id
        for name, company_id in book.company_ids.items()
        if first[company_id] == name and name != _NO_COMPANY and int(company_id) % _UNREGISTERED_EVERY
    }


def _new_names(seed: int, known: tuple[str, ...], *, taken: Iterable[str], count: int) -> list[str]:
    twins = [name[:2] + _other_sign(name[2]) + name[3:] for name in known[len(WELL_KNOWN) :: _TWIN_EVERY]]
    strangers = company_names(Random(f"{seed}:registry"), 2 * count + len(known))[len(WELL_KNOWN) :]
    unused = set(taken)
    return list(islice((name for name in dict.fromkeys((*twins, *strangers)) if name not in unused), max(count, 0)))


def _other_sign(sign: str) -> str:
    return "新" if sign != "新" else "鑫"


def _new_id(seed: str, *, taken: set[str]) -> str:
    rng = Random(seed)
    drawn = (str(_FIRST_INVENTED_ID + rng.randrange(10**8)) for _ in range(1_000))
    return next(company_id for company_id in drawn if company_id not in taken)


def _former_names(seed: int, names: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Return who was once called what; a name shared by two companies tells neither."""
    changed, shared = names[5::_FORMER_EVERY], names[5::_SHARED_EVERY]
    pool = company_names(Random(f"{seed}:former"), 2 * len(names) + 100)[len(WELL_KNOWN) :]
    registered = {*names, *plan_book(seed).companies}
    unused = (name for name in pool if name not in registered)
    former: dict[str, tuple[str, ...]] = {name: (next(unused),) for name in changed}
    others = set(changed)
    for name, other in zip(shared, (name for name in names[6::_SHARED_EVERY] if name not in others), strict=False):
        both = next(unused)
        former[name], former[other] = (*former.get(name, ()), both), (both,)
    return former


def _short_name(full_name: str) -> str:
    ending = next((form for form in _LEGAL_FORMS if full_name.endswith(form)), "")
    kept = full_name.removesuffix(ending).replace("（", "").replace("）", "")
    place = _place(full_name)
    return kept.replace(place, "", 1) if len(kept) - len(place) >= 3 else kept


def _place(full_name: str) -> str:
    return next((place for place in (*_CITIES, *_REGION_OF, "中国") if place in full_name), "")


def _province(full_name: str) -> str:
    place = _CITIES.get(_place(full_name), _place(full_name))
    return place if place in _REGION_OF else "北京"


def _day(day: date, rng: Random) -> str:
    return day.strftime(rng.choice(_DAY_FORMS))


def _labels(industry: tuple[str, ...], province: str, rng: Random) -> Iterator[SampleLabel]:
    section, division, group, kind = industry
    yield SampleLabel(kind=LABEL_KINDS[0], levels=(section, division, group, kind), names_company=True)
    # The registry shifts the levels of a place by one and says so in the first.
    place = ("地区分类", _REGION_OF[province], province, "")
    yield SampleLabel(kind=LABEL_KINDS[1], levels=place, names_company=rng.random() < 0.5)
    for size in rng.sample(("大型企业", "中型企业", "小微企业"), rng.randrange(3)):
        yield SampleLabel(kind=LABEL_KINDS[2], levels=("企业规模", size, "", ""), names_company=rng.random() < 0.5)
