"""How the characters of the sample names sound: enough to find a company by its pinyin, and no dictionary."""

_TABLE = """
an 安案 bao 保宝 bei 北贝 bin 滨斌 bo 波博伯 bu 部步 cao 草 chang 长昌常畅 che 车 chen 晨辰陈 cheng 成程城诚
chong 重 chuan 川传船 chun 春纯 da 大达 dao 岛导 de 德得 dian 电店 ding 鼎顶定 dong 东冬 du 都 er 尔 fa 发
fang 方纺坊 fei 肥 fen 份 feng 丰峰锋风 fu 福服富 gan 甘 gang 钢港岗 gong 工公供功 gu 股古 guan 管 guang 广光
gui 贵桂 guo 国果 ha 哈 hai 海 han 汉 hang 航杭行 he 合和河禾荷 hei 黑 heng 恒亨衡 hong 虹宏鸿洪红 hu 湖虎
hua 华化花 huan 环 hui 汇会徽惠辉 hun 混 huo 伙火 ji 机济吉纪集技计基 jia 家嘉佳加 jian 建件健 jiang 江疆 jiao 交
jin 津金锦今 jing 京晶精 jiu 九究久 kai 凯开 ke 科 kong 空 kuang 矿 kun 昆坤 lan 兰蓝 li 力利立理 lian 连链联莲
liao 辽 lin 林 ling 陵零凌 long 龙隆 lu 路陆 mei 媒梅 men 门 meng 蒙 ming 明铭名鸣 nan 南 nei 内 neng 能 ni 泥
ning 宁 nong 农 ping 平 pin 品 pu 普 qi 气汽启奇 qing 庆青清 quan 券泉 ran 燃 ren 任 rui 瑞锐睿 san 三 sha 沙
shan 山陕 shang 上尚 she 设 shen 深沈 sheng 盛胜生升 shi 石食市世师事实 shu 输殊术 shuang 双 shui 水 si 四司 su 苏肃
suo 所 tai 泰太态台 te 特 teng 腾 tian 天田 tie 铁 tong 通同 tou 投 tu 图土 tuan 团 wen 文 wu 武务物五伍 xi 西息溪
xia 厦夏 xian 限 xie 械 xin 心新信鑫欣 xing 兴星 xiu 绣秀 xuan 宣 ya 雅亚 yan 烟研 yang 阳洋 yao 药 ye 业野 yi 医
yin 银 ying 应营 yong 永勇 you 油有 yuan 原远源元院员圆园 yun 云运 zang 藏 zao 造 ze 责 zhan 展 zheng 郑证 zhe 浙
zhen 圳 zhi 制织 zhong 中 zhou 州洲 zhu 珠筑 zhuang 庄 zi 子资
"""
_WORDS = _TABLE.split()
_SOUND_OF = {ord(sign): sound for sound, signs in zip(_WORDS[::2], _WORDS[1::2], strict=True) for sign in signs}


def sound_of(name: str) -> str:
    """Return the name in pinyin without tones, blanks or capitals; characters that are not in the table stay."""
    return "".join(name.translate(_SOUND_OF).lower().split())
