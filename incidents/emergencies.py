"""Words that may mean an emergency, and the number to call.

What lives here: the list and the look-up, nothing that decides a case's road. While somebody
types, the page shows the numbers by the same words, hazards too (static/geshi/report.js).
"""

import re
from dataclasses import dataclass

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class EmergencyService:
    """An emergency service: its number, its name and the words that point to it."""

    number: str
    name: object
    words: tuple[str, ...]


SERVICES = (
    EmergencyService(
        "119",
        _("Fire"),
        (
            *("着火", "起火", "失火", "火灾", "火势", "浓烟", "冒大烟", "爆炸", "爆燃"),
            *("燃气泄漏", "煤气泄漏", "天然气泄漏", "毒气", "被困", "困在电梯", "关在电梯"),
            *("溺水", "落水", "掉进水里", "掉河里", "掉进河", "掉到井里", "掉进井"),
            *("被埋", "被压在"),
        ),
    ),
    EmergencyService(
        "120",
        _("Ambulance"),
        (
            *("昏迷", "晕倒", "昏倒", "不省人事", "大出血", "流血不止", "中毒", "心脏病发"),
            *("没有呼吸", "没呼吸", "骨折", "触电", "重伤", "抽搐", "要生了", "喝农药"),
        ),
    ),
    EmergencyService(
        "110",
        _("Police"),
        (
            *("持刀", "拿刀", "砍人", "打架", "打起来", "打人", "抢劫", "绑架", "跳楼", "跳河"),
            *("自杀", "轻生", "失踪", "走失", "家暴", "入室盗窃", "强奸", "猥亵", "拐走", "救命"),
        ),
    ),
)


# What may come to pass is a hazard for a colleague, not a call for a fire engine.
NOT_NOW = (
    *("防火灾", "火灾隐患", "火灾风险", "火灾报警", "火灾演练", "防爆炸", "爆炸隐患"),
    *("防溺水", "防触电", "触电隐患", "触电危险", "触电风险", "预防中毒", "防中毒", "防走失"),
)
_MAY_HAPPEN = re.compile(
    "(?:容易|万一|怕|担心|以免|避免|防止|小心|谨防|会不会)"
    "[\u4e00-\u9fff]{0,3}?(?:着火|起火|失火|火灾|爆炸|溺水|落水|触电|中毒|骨折|被困|走失)"
)


def find(text: str) -> list[EmergencyService]:
    """Return the services whose words stand in ``text``, fire first.

    A hazard ("easily catches fire") is none: what did not happen yet is left out.
    """
    text = _MAY_HAPPEN.sub("", text)
    for phrase in NOT_NOW:
        text = text.replace(phrase, "")
    return [service for service in SERVICES if any(word in text for word in service.words)]
