"""Invented company names, and the dirt that clings to them in workbooks."""

from collections.abc import Callable
from random import Random

_PLACES = str.split(
    "北京 上海 天津 重庆 广东 深圳 广州 江苏 南京 苏州 浙江 杭州 宁波 福建 厦门 山东 济南 青岛 湖北 武汉 湖南 长沙 "
    "河南 郑州 河北 石家庄 山西 太原 陕西 西安 四川 成都 云南 昆明 贵州 贵阳 广西 南宁 海南 江西 南昌 安徽 合肥 "
    "辽宁 沈阳 大连 吉林 长春 黑龙江 哈尔滨 内蒙古 宁夏 甘肃 兰州 青海 新疆 西藏 中国"
)
_BRANDS = str.split(
    "恒泰 华远 鼎盛 瑞丰 金陵 长虹 东方 远大 中信源 同德 永安 盛世 天元 宏图 嘉禾 博雅 晨光 汇通 启明 泰和 "
    "兴业源 安泰 国瑞 凯达 明珠 锦绣 龙腾 海川 九鼎 新纪元 蓝海 华信达 ABC TCN KD 三联 五洲 双汇源 原野 平川"
)
_TRADES = str.split(
    "电力 石油 化工 钢铁 机械制造 建设工程 交通运输 通信 医药 食品 纺织 电子 航空 铁路 港务 水务 燃气 银行 证券 "
    "物业服务 能源 矿业 烟草 供应链 信息技术 环保科技 汽车零部件 文化传媒 城市建设投资 农业发展"
)
_KINDS = (
    *("有限公司",) * 10,
    *("股份有限公司",) * 4,
    *("有限责任公司",) * 4,
    *("集团有限公司",) * 3,
    "集团股份有限公司",
    "研究院",
    "投资中心（有限合伙）",
    "会计师事务所（特殊普通合伙）",
)

WELL_KNOWN = ("宣城城建城市运营管理有限公司", "内江筑石混泥土有限公司", "保留账户管理")
"""Names for which the configuration overrides the company id; they open every list."""

DIRT: tuple[Callable[[str], str], ...] = (
    lambda name: f" {name}",
    lambda name: f"{name}　",
    lambda name: f"{name[:2]}　{name[2:]}",
    lambda name: f"{name[:4]} {name[4:]}",
    lambda name: name.replace("（", "(").replace("）", ")"),
    lambda name: f"「{name}」",
    lambda name: f"(原){name}",
    lambda name: f"{name}（集团）",
    lambda name: f"{name}(团托)",
    lambda name: f"{name}-已转出",
    lambda name: f"{name}－待转移",
    lambda name: f"{name}（已终止）",
    lambda name: f"{name}-养老",
    lambda name: f"{name}-01",
    lambda name: f"{name}及下属子企业",
    lambda name: f"{name}。",
    lambda name: "".join(chr(ord(sign) + 0xFEE0) if "A" <= sign <= "Z" else sign for sign in name),
    lambda name: name.lower(),
)
"""Ways to write a name that leave its normalised form as it is."""


def company_names(rng: Random, count: int) -> tuple[str, ...]:
    """Return `count` distinct names, all distinct in their normalised form too."""
    names = dict.fromkeys(WELL_KNOWN[:count])
    while len(names) < count:
        names[_invented(rng)] = None
    return tuple(names)


def _invented(rng: Random) -> str:
    place, brand, trade = rng.choice(_PLACES), rng.choice(_BRANDS), rng.choice(_TRADES)
    kind = rng.choice(_KINDS)
    if rng.random() < 0.15:
        return f"{brand}（{place}）{trade}{kind}"
    return f"{place}{brand}{trade}{kind}"
