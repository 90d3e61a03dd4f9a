"""Names for the demo county: people, towns, villages, natural villages, estates, organisations.

All are put together from syllables with a `random.Random`; no list of real people or of a real
county's villages stands behind them. The county and its code 419901 do not exist: 4199 belongs
to no prefecture.
"""

from itertools import product
from random import Random

COUNTY_NAME = "和原县"
COUNTY_NAME_EN = "Heyuan Demo County"
COUNTY_CODE = "419901"

_SURNAMES = (
    "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
    "苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史"
    "顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文"
)
_FIRST = "建国志永春秀玉桂文德新广立兴长家学大金明海红小晓书福素爱淑庆占传振凤少东西清世宗培"
_SECOND_F = "华兰英花荣芳霞梅珍玲芝敏云莲琴"
_SECOND_M = "明军强平山林峰生民成勇义安顺利刚良才松涛远根柱田礼信凯"
_SINGLE_F = "静丽娟敏艳莉颖雪琳洁倩欣"
_SINGLE_M = "伟磊涛超鹏杰辉斌健波宁浩凯帅阳昊"

# 22 towns, the first two are the seat's subdistricts.
TOWN_NAMES = [
    *[
        "和兴街道",
        "原上街道",
        "柳沟镇",
        "石渡镇",
        "青禾镇",
        "双堰镇",
        "白庙湾镇",
        "槐店集镇",
        "东圩镇",
        "望亭岗镇",
    ],
    *[
        "三汊镇",
        "丰泽镇",
        "古槐镇",
        "长桥铺镇",
        "葛营镇",
        "乌桐镇",
        "晒粮台镇",
        "月河乡",
        "杏花坞乡",
        "北楼子乡",
    ],
    *["汲水乡", "连山口乡"],
]

_FAMILY = "王李张刘陈杨赵黄周吴徐孙胡朱高何郭马罗宋郑谢韩唐冯于董程曹袁许沈吕苏卢蒋贾丁魏薛"
_LAND = ["东", "西", "南", "北", "前", "后", "上", "下", "大", "小", "老", "新", "中", "双", "三"]
_THING = [
    "石桥",
    "柳林",
    "槐树",
    "枣园",
    "杏林",
    "桃园",
    "水寨",
    "土楼",
    "瓦房",
    "砖井",
    "古井",
    "河湾",
    "沙岗",
    "高台",
    "葫芦",
    "莲池",
]
_TAIL = [
    "庄",
    "楼",
    "集",
    "营",
    "寨",
    "店",
    "岗",
    "湾",
    "堂",
    "口",
    "桥",
    "坡",
    "沟",
    "圩",
    "园",
    "庙",
]
_HOUSING = [
    "和顺",
    "锦和",
    "翠园",
    "向阳",
    "春晖",
    "康乐",
    "兴业",
    "安居",
    "书香",
    "滨河",
    "学府",
    "阳光",
    "祥和",
    "惠民",
    "东方",
    "丽景",
]
_ESTATE = ["小区", "家园", "花园", "佳苑", "新村", "公寓", "华庭", "名城", "家属院", "雅苑"]
_NATURAL_TAIL = ["庄", "坑", "沿", "洼", "头", "胡同", "门", "园", "井", "桥", "场", "台"]


def person_name(rng: Random, *, sex: str = "") -> str:
    """A Chinese name of two or three characters; sex is "f", "m" or "" for either."""
    sex = sex or rng.choice("fm")
    surname = rng.choice(_SURNAMES)
    if rng.random() < 0.22:
        return surname + rng.choice(_SINGLE_F if sex == "f" else _SINGLE_M)
    first = rng.choice(_FIRST)
    second = rng.choice(_SECOND_F if sex == "f" else _SECOND_M)
    while second == first:
        second = rng.choice(_SECOND_F if sex == "f" else _SECOND_M)
    return surname + first + second


def town_names() -> list[str]:
    """The 22 towns, in the order of their codes."""
    return list(TOWN_NAMES)


def village_names(rng: Random, count: int = 531) -> list[str]:
    """Names of villages without "村"; a seventh repeat elsewhere, as they do in real counties."""
    stems = [f + t for f, t in product(_FAMILY, _TAIL)]
    stems += [s + t for s, t in product(_LAND, _THING)]
    stems += [side + f + t for side, f, t in product("前后东西", _FAMILY[:20], "庄楼寨")]
    rng.shuffle(stems)
    distinct = stems[: count - count // 7]
    repeated = rng.sample(distinct, count - len(distinct))
    names = distinct + repeated
    rng.shuffle(names)
    return names


def natural_village_name(rng: Random) -> str:
    """The name of one natural village, which a rural grid covers."""
    pattern = rng.random()
    if pattern < 0.5:
        return rng.choice(_FAMILY) + rng.choice(_NATURAL_TAIL)
    if pattern < 0.75:
        return rng.choice(_LAND) + rng.choice(_FAMILY) + rng.choice("家庄楼营")
    return rng.choice(_LAND) + rng.choice(_THING)


def community_name(rng: Random) -> str:
    """A community, e.g. "春晖社区"."""
    return rng.choice(_HOUSING) + rng.choice(["", "东", "西", "南", "北"]) + "社区"


def estate_name(rng: Random) -> str:
    """A housing estate or a block, which a community grid covers."""
    name = rng.choice(_HOUSING) + rng.choice(_ESTATE)
    return name + (f"{rng.randint(1, 28)}号楼" if rng.random() < 0.5 else "")


# Kind of organisation that runs a dedicated grid, with the ends its name may have.
ORGANISATIONS: dict[str, list[str]] = {
    "hospital": ["人民医院", "中医院", "卫生院", "妇幼保健院", "康复医院"],
    "school": ["第一小学", "实验小学", "中心小学", "初级中学", "高级中学", "幼儿园"],
    "market": ["农贸市场", "建材市场", "商业街", "综合批发市场", "牲畜交易市场"],
    "fish_farm": ["水产养殖场", "生态鱼塘", "莲藕种养基地"],
    "agency": ["税务所", "供电所", "农技站", "畜牧站", "财政所", "粮食收储站"],
    "firm": ["面粉厂", "纺织厂", "机械配件公司", "木业园区", "物流园"],
    "scenic": ["湿地公园", "古镇景区", "采摘园"],
}


def organisation_name(rng: Random, kind: str) -> str:
    """An organisation of a kind in ORGANISATIONS; KeyError for another kind."""
    return rng.choice(_HOUSING) + rng.choice(ORGANISATIONS[kind])


def phone_number(rng: Random) -> str:
    """A number from the range 199-0000 that is kept free: nobody's telephone rings."""
    return f"1990000{rng.randint(0, 9999):04d}"
