"""Believable Chinese texts for the demo county: what people report, answer, object and rate.

Every function takes a `random.Random`, so the same seed gives the same county. What is said
lives in `cores.json` (the matter itself, by category), `phrases.json` (consequence, request and
action) and `disputes.json`; how it is said lives here. Nothing here touches the database, and
nothing here may name a real person or a number that could ring.
"""

import json
from pathlib import Path
from random import Random
from typing import Any

from governance.demo.names import person_name

_HERE = Path(__file__).parent


def _load(name: str) -> Any:
    return json.loads((_HERE / name).read_text(encoding="utf-8"))


CORES: dict[str, list[list[str]]] = _load("cores.json")
PHRASES: dict[str, dict[str, list[str]]] = _load("phrases.json")
DISPUTES: dict[str, list[dict[str, Any]]] = _load("disputes.json")

DURATIONS = ["好几天", "快一个星期", "十来天", "半个多月", "三四天", "一个多礼拜"]
COUNTS = ["三", "四", "五", "六", "七", "八"]

# Matters that are found at a spot outdoors; the rest belong to a person or an indoor place.
OUTDOOR_MAJORS = {"HW", "SR", "GH"}
OUTDOOR = {
    *["SZ-01", "SZ-02", "SZ-03", "SZ-04", "SZ-07", "SZ-08", "JT-01", "JT-04", "JT-05", "JT-06"],
    *["HB-04", "HB-05", "HB-06", "HB-07", "NY-01", "NY-07", "AQ-03", "AQ-04", "MZ-04"],
}
INDOOR = {"SR-05", "SR-06", "GH-05", "GH-03", "GH-04", "HW-06"}
RURAL_ONLY = {
    *[
        "HW-06",
        "GH-03",
        "GH-04",
        "HB-08",
        "JT-01",
        "NY-01",
        "NY-02",
        "NY-03",
        "NY-04",
        "NY-05",
        "NY-06",
        "NY-07",
    ],
    *["WS-02", "JF-02", "ZX-06", "ZX-07", "ZW-02"],
}
URBAN_ONLY = {
    *[
        "SR-01",
        "SR-03",
        "SR-04",
        "SR-05",
        "SZ-03",
        "SZ-06",
        "GH-02",
        "GH-05",
        "FW-01",
        "FW-02",
        "FW-03",
        "FW-04",
        "FW-07",
    ],
    *["HB-01", "JT-03", "JY-04", "ZX-08"],
}
# What a grid worker meets on the round; money and family matters are told by the people.
WORKER_MAJORS = {"HW", "SR", "SZ", "GH", "FW", "HB", "JT", "NY", "AQ"}

TOLD_BY_PEOPLE = {
    *["GH-05", "FW-01", "FW-07", "NY-03", "NY-04", "NY-05", "JT-02", "JT-03", "AQ-05"],
}

SPOTS = [
    *[
        "南边路口",
        "北头",
        "东头",
        "西头",
        "小学后墙外",
        "超市门口",
        "卫生室旁边",
        "主路西侧",
        "老槐树跟前",
    ],
    *["小桥桥头", "广场边上", "菜市口", "十字路口往南", "候车亭跟前", "加油站对过", "文化墙那儿"],
    *[
        "活动中心门前",
        "变压器旁边",
        "水塔下边",
        "供销社老院门口",
        "药店斜对面",
        "幼儿园拐角",
        "粮站后头",
    ],
    *[
        "老戏台前面",
        "铁门巷口",
        "快递点门口",
        "理发店那一溜",
        "诊所东边",
        "二道沟沿上",
        "停车场入口",
    ],
]
SINCE = [
    "这样有半个多月了",
    "前后快一个月了",
    "从上个星期就这样",
    "不是一天两天了",
    "入秋那阵就有，现在更厉害",
    "过完节到现在一直没变",
    "上次报过一回，好了两天又这样",
    "打我搬来就这样",
]
# Beside a core that already says how long.
SAID = ["打过电话没动静", "问过两回没有准信", "跟人提过，没人接话", "邻居们都知道"]
GREETINGS = ["你好，", "您好，", "领导好，", "同志你好，", "", "", "", "麻烦问一下，", "反映个事，"]
AGES = ["七十一", "六十八", "七十六", "八十", "六十五", "七十九", "七十三"]
WHEN = ["早上七点多", "上午巡查时", "中午十二点左右", "下午三点半", "傍晚巡格时", "晚上八点多"]

RESIDENT_FRAMES = [
    "{greet}{at}，{core}。{cons}，{ask}。",
    "{at}，{core}，{since}。{ask}。",
    "{core}。地方就在{at}。{cons}。",
    "{greet}{at}这边，{core}。{since}，{cons}。{ask}。",
    "{at}，{core}。跟人说过，没人理。{ask}！",
    "能不能来看看，{at}，{core}。{cons}",
    "{at}这个事有没有人管？{core}。{cons}。",
    "昨天路过{at}，看见{core}。{cons}，{ask}。",
    "{core}，{since}，就在{at}。图片拍了，{ask}。",
    "{greet}不是头一回了，{at}，{core}。{ask}。",
    "说个实在话，{core}。{cons}。{at}的邻居都能作证。",
]
ELDER_FRAMES = [
    "我今年{age}了，住{place}。{core}。{cons}。我不会打字，让孙子帮着写的，{ask}。",
    "老汉住{place}，{core}。{since}。{ask}，给你们添麻烦了。",
    "我一个人住在{place}，{core}。{cons}，{ask}。谢谢你们了。",
    "我是{place}的老住户，{age}岁。{core}，{cons}。",
    "闺女帮我报的：{place}，{core}。{since}，{ask}。",
]
WORKER_FRAMES = [
    "{when}在{at}发现：{core}。已拍照，需上级协调。",
    "巡查发现，{at}，{core}。本格处理不了，申请派单。",
    "{at}：{core}。已提醒过往群众注意，请尽快处置。",
    "入户走访{place}，群众反映：{core}。情况属实。",
    "{when}，{at}，{core}。沟通过，缺设备缺权限，上报。",
    "网格微信群里有人说：{core}。到{at}看过，属实。",
    "复查{at}，{core}，比上次严重，{since}。",
]
CLERK_FRAMES = [
    "来电人反映，{at}，{core}。来电人称{cons}。诉求：{ask}。",
    "群众来电：{core}，地点为{at}。{since}。请核实处理并回复来电人。",
    "来电人住{place}，称{core}，曾多次向有关方面反映未果。诉求：{ask}。",
    "12345 转来：{at}，{core}。来电人不愿公开姓名，请按程序办理。",
    "来电人第二次来电，{at}，{core}。来电人表示{cons}，要求尽快解决。",
    "市民来电反映{place}有如下问题：{core}。已安抚，{ask}。",
]
PERSON_FRAMES = [
    "{greet}我是{place}的，{core}。{cons}，{ask}。",
    "{core}。{cons}。家住{place}，{ask}。",
    "我家在{place}。{core}，{cons}。{ask}。",
    "{greet}替家里人写的：{core}。{cons}。{ask}。我们住{place}。",
    "憋了好久才写的。{core}。{cons}，{ask}。{place}的村邻都知道。",
    "{place}，{core}。来来回回跑了几趟，没结果。{ask}。",
    "{core}，{since}。{cons}。留的电话打得通。{place}。",
    "说起来一肚子委屈，{core}。我住{place}，{ask}。",
]
QUESTION_FRAMES = [
    "{greet}{core}？{ask}。",
    "{core}？我住{place}，{cons}。",
    "想问一下，{core}。{ask}。",
    "{greet}我是{place}的，{core}？",
    "{cons}，就想问问{core}。",
    "来电咨询：{core}。来电人住{place}，请电话回复。",
    "帮邻居问的，{core}？{ask}。",
    "走访时群众问：{core}。请给个准确答复，我好回话。{place}。",
    "{core}？在外地打工，赶不回去，{ask}。",
    "我今年{age}，{core}？去年跟今年还一样吗？",
    "{greet}{core}，去村里还是去镇上？{place}离县城远。",
    "孩子替我问，{core}。{cons}。{ask}。",
    "麻烦问一声：{core}？我们{place}不少人都想知道。",
]
SUGGEST_FRAMES = [
    "{core}。我住{place}，天天看着，随口提一句。",
    "提个想法：{core}。花钱不多，用的人不少。",
    "{greet}{core}，大家都说好。",
    "{place}几户邻居商量了一下，{core}。能成最好，不成也回个话。",
    "议事会上没轮到我说，补一条，{core}。",
    "{core}。别的地方已经这么办了，咱们也可以试试。",
    "来电建议：{core}。来电人是{place}居民，愿意参加讨论。",
    "走访收集：{core}。{place}有十几户同意。",
    "孩子上学天天路过，想说一句，{core}。谢谢。",
    "老住户了，盼着家门口越来越好。{core}。",
    "{core}，不急，排上计划就行。",
    "{greet}不是投诉，就是个建议。{core}。",
]
THANKS_FRAMES = [
    "{core}。我是{place}的，写几句话谢谢他们。",
    "必须表扬一下：{core}。",
    "{greet}{core}。当面没来得及道谢，请帮忙转达。",
    "{place}的住户想说声谢谢，{core}。",
    "来电表扬：{core}。来电人请求转告本人。",
    "{core}，心里暖乎乎的。",
    "我今年{age}了，没想到还有人这么上心。{core}。",
    "不提意见，来点个赞。{core}。",
    "{core}。要是都这样，老百姓还有啥说的。",
    "{place}，{core}。邻居们都看见了，都说好。",
    "写封感谢信不会写，就发这里吧：{core}。",
    "一件小事，可我一直记着。{core}。谢谢你们。",
]
EMERGENCY_FRAMES = [
    "快来人！{place}，{core}！",
    "{core}，在{place}，快点！",
    "{place}出事了，{core}。",
    "我在{place}，{core}，怎么办",
    "{greet}{place}，{core}，已经打了电话，也跟你们说一声。",
    "{place}，{core}！人越围越多",
    "{core}！！{place}！！",
    "来电人语气急促：{place}，{core}。已提示拨打急救报警电话。",
    "网格员报：{place}，{core}。我在现场，已疏散群众。",
    "{place}这里，{core}，快派人，路口有人接。",
    "路过{place}，看到{core}，不知道报警没有",
    "听到动静出来看，{core}。{place}往里走第二家。",
]

EMERGENCIES = {"TC-01", "TC-02", "TC-03"}
FRAMES_OF_ITEM = {
    "ZW-03": SUGGEST_FRAMES,
    "ZW-04": THANKS_FRAMES,
    **dict.fromkeys(EMERGENCIES, EMERGENCY_FRAMES),
}


def _frames(code: str) -> list[str]:
    """The sentence frames that fit a category, the likelier voices more than once."""
    major = code[:2]
    if code in FRAMES_OF_ITEM:
        return FRAMES_OF_ITEM[code]
    if major == "ZX":
        return QUESTION_FRAMES
    if major in WORKER_MAJORS and code not in TOLD_BY_PEOPLE:
        return RESIDENT_FRAMES * 2 + ELDER_FRAMES + WORKER_FRAMES * 3 + CLERK_FRAMES
    return PERSON_FRAMES * 2 + ELDER_FRAMES[1:] + CLERK_FRAMES


def _phrases(kind: str, code: str) -> list[str]:
    """Phrases written for the category, else those of its major class."""
    return PHRASES[kind].get(code) or PHRASES[kind][code[:2]]


def _is_outdoor(code: str) -> bool:
    return code in OUTDOOR or (code[:2] in OUTDOOR_MAJORS and code not in INDOOR)


def _fill(rng: Random, text: str) -> str:
    return text.format(d=rng.choice(DURATIONS), n=rng.choice(COUNTS))


def _tidy(text: str) -> str:
    for wrong, right in (
        ("。。", "。"),
        ("，。", "。"),
        ("？。", "？"),
        ("？？", "？"),
        ("。！", "！"),
    ):
        text = text.replace(wrong, right)
    return text


def suits(category_code: str, grid_kind: str) -> bool:
    """Whether a matter of this category is believable in a grid of this kind.

    grid_kind is "rural", "community" or "dedicated".
    """
    if grid_kind == "rural":
        return category_code not in URBAN_ONLY
    return category_code not in RURAL_ONLY


def incident_text(rng: Random, category_code: str, place: str) -> tuple[str, str]:
    """A title (at most about 20 characters beside the place) and a text for one report.

    place is what a resident would say, e.g. "柳沟镇石桥村". KeyError for an unknown category.
    """
    title, core = rng.choice(CORES[category_code])
    since = rng.choice(SAID if "{d}" in core else SINCE)
    core = _fill(rng, core)
    title = _fill(rng, title)
    at = place + rng.choice(SPOTS) if _is_outdoor(category_code) else place
    frame = rng.choice(_frames(category_code))
    text = frame.format(
        greet=rng.choice(GREETINGS),
        place=place,
        at=at,
        core=core,
        since=since,
        cons=rng.choice(_phrases("consequences", category_code)),
        ask=rng.choice(_phrases("asks", category_code)),
        age=rng.choice(AGES),
        when=rng.choice(WHEN),
    )
    if rng.random() < 0.35:
        title = f"{place}{title}"
    return title, _tidy(text)


ACTORS = ["我单位", "经办股室", "值班人员", "属地中队和我单位", "我局"]
ARRIVALS = [
    "当日到场",
    "次日上午到场",
    "接单后两小时内到场",
    "会同村（社区）到场",
    "电话联系后上门",
]
ENDINGS = [
    "已向反映人说明，反映人表示认可。",
    "现场已恢复，照片附后。",
    "后续列入日常巡查，发现反弹立即处理。",
    "反映人在场看过，没有其他意见。",
    "请核查。",
    "如再出现，可直接拨打公示栏上的值班电话。",
    "已告知周边住户，感谢大家监督。",
]
RESPONSE_FRAMES = [
    "{actor}{arrive}，情况属实。{action}。{end}",
    "接单后，{actor}{arrive}核实：{action}。{end}",
    "经查，反映情况基本属实。{actor}已采取措施：{action}。{end}",
    "处理情况：一、{arrive}核实情况；二、{action}。{end}",
    "{actor}已办理：{action}。{end}",
    "您好，您反映的问题收到后，{actor}{arrive}，{action}。{end}",
    "情况已核实，{action}。{actor}另行跟踪一周。{end}",
    "{arrive}，与反映人一起看了现场，{action}。{end}",
]
PERSON_RESPONSE_FRAMES = [
    "{actor}当天联系了本人，核对材料后办理：{action}。",
    "经向有关方面了解，情况属实。{action}。结果已电话告知本人。",
    "{actor}约双方到场说明情况，{action}。本人表示认可。",
    "接单后{actor}查阅了资料，{action}。如有新情况请补充。",
    "处理情况：一、与反映人通话核实；二、{action}。请核查。",
    "反映的问题已办理，{action}。{actor}一周后再回访一次。",
    "您好，您反映的问题收到后，{actor}专人跟进，{action}。",
]
INDOOR_RESPONSE_FRAMES = [
    "您好，关于您咨询的事项：{action}。如仍有疑问，请拨打 12345。",
    "{actor}已电话联系本人，{action}。本人表示清楚了。",
    "经核实并与本人联系，{action}。材料和时间以窗口公示为准。",
    "已答复：{action}。为方便办理，另把办事指南短信发给本人。",
    "{action}。{actor}留了联系人，去之前可先打电话。",
    "电话两次未接，第三次接通，{action}，本人没有其他问题。",
]


def _response_frames(code: str) -> list[str]:
    if code in {"ZW-03", "ZW-04"} or (code[:2] in {"ZX", "TC"} and code not in EMERGENCIES):
        return INDOOR_RESPONSE_FRAMES
    if (code[:2] in WORKER_MAJORS and code not in TOLD_BY_PEOPLE) or code in EMERGENCIES:
        return RESPONSE_FRAMES
    return PERSON_RESPONSE_FRAMES


def response_text(rng: Random, category_code: str) -> str:
    """What a department writes when it has handled a matter of this category."""
    frames = _response_frames(category_code)
    return _tidy(
        rng.choice(frames).format(
            actor=rng.choice(ACTORS),
            arrive=rng.choice(ARRIVALS),
            action=rng.choice(PHRASES["actions"][category_code]),
            end=rng.choice(ENDINGS),
        )
    )


RATINGS = {
    3: [
        "挺快，谢谢",
        "第二天就弄好了，没想到",
        "来的师傅很客气，干完还把地扫了",
        "解决了，点个赞",
        "打电话回访了两次，很负责",
        "",
        "",
        "满意",
        "困扰我们半年的事总算有人管了",
        "处理得公道，两家都没话说",
        "老人让我代他说声谢谢",
        "比我想的快",
    ],
    2: [
        "基本可以，就是慢了点",
        "好是好了，希望别再反复",
        "弄了一半，剩下的说过几天",
        "态度不错，速度一般",
        "先这样吧，再看看",
        "",
        "问题解决了，没人提前打招呼",
        "还行",
        "比原来强，离满意差一点",
        "修是修了，活儿有点糙",
    ],
    1: [
        "根本没解决，照片是别处的",
        "清了一次，第二天又跟原来一样",
        "人来看了一眼就走了",
        "说已处理，我在现场没看见动",
        "打电话就说在协调，协调到啥时候",
        "答非所问",
        "推来推去，还是没人管",
        "没有跟我联系过就说办结了",
        "只写了材料，事儿没办",
        "修好三天又坏了",
        "让我自己去找，那还要你们干啥",
        "钱还是没要回来",
    ],
}


def rating_comment(rng: Random, score: int) -> str:
    """A resident's words beside a rating: 3 satisfied, 2 basically, 1 dissatisfied; may be ""."""
    return rng.choice(RATINGS[score])


OBJECTIONS = [
    "现场查看，该处属于小区红线以内，应由物业和主管单位负责。",
    "该路段已移交养护单位管护，不在我单位管理范围。",
    "经核对权责清单，此事项的主管单位不是我局，建议改派。",
    "反映地点在国道用地范围内，应由公路部门办理。",
    "该设施产权属于企业，我单位没有处置权限，可以配合。",
    "所反映内容为合同争议，不属于行政处理范围，建议转调解。",
    "与上周已受理的一件为同一事项，建议并案，不再重复派单。",
    "描述过于笼统，两次到现场未找到，请补充位置后再派。",
    "事项涉及三家单位，我单位只负责其中一项，建议由牵头单位接单。",
    "该处位于乡镇自建管网，日常维护由镇里负责。",
]
EXTENSIONS = [
    "配件需从厂家订购，预计五个工作日到货，申请延期。",
    "连日降雨，路面无法铺油，申请顺延至天晴后施工。",
    "当事人外出务工，约定周末返乡面谈。",
    "需要请有资质的单位鉴定，鉴定报告尚未出具。",
    "涉及管线交叉，正在等产权单位确认开挖方案。",
    "树木移植须避开高温，申请延后一周。",
    "检测样品已送检，出结果约需七个工作日。",
    "资金已报审，批复后即可进场。",
    "两家意见还差一步，镇里已约好第三次调解时间。",
    "农忙时节机械调不开，申请延长四个工作日。",
]
SUSPENSIONS = [
    "供暖期内不具备开挖条件，待停暖后施工。",
    "该处已列入老旧小区改造，等待项目进场。",
    "当事人住院治疗，暂无法配合，出院后恢复办理。",
    "案件已进入司法程序，待有结果后恢复。",
    "汛期河道水位高，退水后方可施工。",
    "等待上级专项资金下达。",
    "征求住户意见正在公示，公示期满后继续。",
    "高考期间停止一切产生噪声的作业，考后恢复。",
]
VERIFIED = [
    "现场已恢复，与照片一致，同意办结。",
    "到现场看过，问题已解决，附近两户都认可。",
    "电话问过反映人，属实，通过。",
    "核查时正在收尾，半小时后复看已完成。",
    "夜间去看了一次，没有再出现。",
    "材料齐全，处理与清单要求一致。",
    "井盖已平整，车辆通过无响声，通过。",
    "随机问了三位路人，都说好了。",
]
NOT_VERIFIED = [
    "现场仍有残留，退回重新处理。",
    "照片与现场位置不符，退回补充。",
    "只处理了一半，东侧没动。",
    "反映人称没有人联系过，请当面沟通后再报。",
    "当天好了，第三天复看又反弹，退回。",
    "缺处理前照片，无法比对。",
    "未说明整改期限，退回补充。",
    "路面补得不平，积水仍在。",
]


def objection_reason(rng: Random) -> str:
    """Why a department says a case is not its own."""
    return rng.choice(OBJECTIONS)


def extension_reason(rng: Random) -> str:
    """Why a handler needs more time."""
    return rng.choice(EXTENSIONS)


def suspension_reason(rng: Random) -> str:
    """Why a clock has to stand still; the date it runs again is the caller's."""
    return rng.choice(SUSPENSIONS)


def verify_note(rng: Random, ok: bool) -> str:
    """What the person who checked the work wrote down."""
    return rng.choice(VERIFIED if ok else NOT_VERIFIED)


WHISTLE_FRAMES = [
    "{place}{title}，镇里协调两次没有结果，请{lead}牵头、{others}到场会商，定出责任和时限。",
    "{title}涉及权限超出镇村，请{lead}和{others}一起到{place}现场办公。",
    "群众反映集中：{title}。请{lead}认定，{others}各自提出处理意见。",
    "{place}，{title}。镇里已先行劝阻，需{lead}执法、{others}配合。",
    "为防止反弹，请{lead}、{others}今天到{place}碰头，先止住再谈长远。",
    "{title}历时较长，权责交叉。请{lead}拿总体意见，{others}会签。",
]


def whistle_ask(rng: Random, place: str, title: str, lead: str, others: list[str]) -> str:
    """What a town writes when it blows the whistle; lead and others are departments' names."""
    return rng.choice(WHISTLE_FRAMES).format(
        place=place, title=title.removeprefix(place), lead=lead, others="、".join(others) or "属地"
    )


CO_OPINIONS = [
    "已到场。我单位职责内部分三天内办完，其余配合牵头单位。",
    "同意牵头单位方案，负责拉警戒和疏导。",
    "现场核过，不涉及我单位审批，可以提供图纸。",
    "同意。费用从年度维护经费中列支。",
    "建议先消除隐患，再定权属，我单位派两人驻场。",
    "不同意由我单位承担主要费用，请指挥中心裁定；先配合处置。",
    "已对当事人做了宣传，签收回执附后。",
]


def co_opinion(rng: Random) -> str:
    """What a co-handler of a whistle writes after it arrived."""
    return rng.choice(CO_OPINIONS)


STEP_NOTES = [
    [
        "网格员{m}分别到两家听了情况，双方火气都大，约定先不吵、等回话。",
        "在网格员家里坐下来谈，{a}讲得多，{b}不吭声，先把账摆清楚。",
        "上门三次才把人凑齐，{a}愿意谈，{b}要求先道歉。",
        "当天就到现场看了，量了尺寸、拍了照，双方在图上都签了字。",
    ],
    [
        "请来老支书出面，说起两家老辈的交情，气氛缓和了不少。",
        "乡贤{m}跟双方都熟，单独劝到晚上十点，{b}松了口。",
        "村里的老教师两头做工作，把各自的难处都讲给对方听。",
        "请族里长辈参加，讲了从前怎么处的，{a}让了一步。",
    ],
    [
        "法律顾问把相关规定逐条讲了，告诉双方打官司的时间和花费。",
        "驻村律师看了字据，说明哪些能认、哪些证据不够。",
        "法律顾问电话参加，讲清责任怎么分，双方都记下了。",
        "讲了类似案例的裁判结果，{b}表示愿意按责任承担。",
    ],
    [
        "评议员七人到场，六人认为各退一步为好，结果当场念给双方听。",
        "村民评议会看了现场，多数意见是以老界为准，补偿适当。",
        "评议组分别问了左右邻居，提出分两次履行的办法。",
        "评议当晚形成意见，双方同意照办，请调解员写协议。",
    ],
]
MANNERS = ["当场履行", "分两次付清", "由村委会见证履行", "转账支付，凭据交调委会存档"]


def _two_names(rng: Random, kind: str) -> tuple[str, str]:
    """Husband and wife, two of one family, or two strangers of different surnames."""
    if kind == "marriage":
        return person_name(rng, sex="m"), person_name(rng, sex="f")
    a, b = person_name(rng), person_name(rng)
    while b == a or (b[0] == a[0]) != (kind == "family"):
        b = person_name(rng)
    return a, b


def dispute(rng: Random, kind: str | None = None) -> dict[str, Any]:
    """One dispute with its four step notes and the agreement it may end in.

    Keys: kind (a key of DISPUTES, as in mediation.models.choices.Kind), title, facts,
    colour ("blue", "yellow", "red"), claims (one for each side), parties (two names),
    step_notes (four), agreement (issues, content, manner, term_days).
    """
    kind = kind or rng.choices(list(DISPUTES), [9, 5, 4, 8, 6, 3, 4, 5])[0]
    case = rng.choice(DISPUTES[kind])
    a, b = _two_names(rng, kind)
    slots = {
        "a": a,
        "b": b,
        "m": person_name(rng)[0] + rng.choice(["师傅", "大哥", "老师", "婶"]),
        "n": rng.choice(COUNTS),
        "d": rng.choice(DURATIONS),
        "y": str(rng.randint(2, 38) * 100),
    }
    colour = rng.choices(["blue", "yellow", "red"], case["colours"])[0]
    return {
        "kind": kind,
        "title": case["title"].format(**slots),
        "facts": case["facts"].format(**slots),
        "colour": colour,
        "claims": [text.format(**slots) for text in case["claims"]],
        "parties": [a, b],
        "step_notes": [rng.choice(notes).format(**slots) for notes in STEP_NOTES],
        "agreement": {
            "issues": case["issues"].format(**slots),
            "content": case["content"].format(**slots),
            "manner": rng.choice(MANNERS),
            "term_days": rng.choice([0, 3, 7, 10, 15, 30]),
        },
    }


def labelled_examples(rng: Random, per_item: int) -> list[dict[str, str]]:
    """Generated examples for training: [{"text", "category"}], per_item of each category."""
    rows = []
    for code in CORES:
        for _ in range(per_item):
            place = f"{rng.choice('柳槐枣杏桃榆')}{rng.choice('沟庄岗坡桥园')}"
            title, text = incident_text(rng, code, place)
            rows.append({"text": text if rng.random() < 0.7 else title, "category": code})
    return rows
