"""Words that may mean an emergency, and the number to call.

What lives here: the list and the look-up, nothing that decides a case's road.
"""

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
            *("着火", "起火", "失火", "火灾", "火势", "浓烟", "爆炸"),
            *("燃气泄漏", "煤气泄漏", "被困", "溺水", "落水"),
        ),
    ),
    EmergencyService(
        "120",
        _("Ambulance"),
        (
            *("昏迷", "晕倒", "大出血", "中毒", "心脏病发"),
            *("没有呼吸", "骨折", "触电", "重伤"),
        ),
    ),
    EmergencyService(
        "110",
        _("Police"),
        (
            *("持刀", "砍人", "打架", "抢劫", "绑架", "跳楼"),
            *("自杀", "失踪", "走失", "家暴", "入室盗窃"),
        ),
    ),
)


def find(text: str) -> list[EmergencyService]:
    """Return the services whose words stand in ``text``, fire first."""
    return [service for service in SERVICES if any(word in text for word in service.words)]
