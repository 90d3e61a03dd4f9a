"""The desks and the kinds of notices of this floor, put into the registries at start-up."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from core.channels.events import Group
from grids import phone
from grids.desks import Desk, register
from grids.models import Role
from incidents.queries.score_readers import AREA_READERS
from incidents.registry import register_notice

# Who writes down what others report: on the hotline, in a meeting, at an inspection.
WRITERS = frozenset({Role.VILLAGE_OFFICE, Role.TOWN_ADMIN, Role.COMMAND})

# Who keeps the rules of dispatch and time, and which model the AI reads with.
RULE_KEEPERS = frozenset({Role.COMMAND, Role.SYSTEM_ADMIN})

# Who reads about inspections at a desk, and who makes them on a phone.
INSPECTION_READERS = frozenset(
    {
        *(Role.VILLAGE_OFFICE, Role.TOWN_ADMIN, Role.DEPARTMENT_HANDLER),
        *(Role.COMMAND, Role.COUNTY_LEADER),
    }
)
PHONE_INSPECTORS = frozenset({Role.GRID_WORKER, Role.GRID_CHIEF, Role.GRID_GUIDE})

DESKS = (
    Desk("worker", _("My grid"), "map-pin", frozenset({Role.UNIT_HEAD, Role.GRID_WORKER}), 10),
    Desk("grid", _("Grid desk"), "layout-grid", frozenset({Role.GRID_CHIEF, Role.GRID_GUIDE}), 12),
    Desk("village", _("Village desk"), "home", frozenset({Role.VILLAGE_OFFICE}), 20),
    Desk("town", _("Town desk"), "building-community", frozenset({Role.TOWN_ADMIN}), 20),
    Desk("desk_report", _("Write a report down"), "phone-plus", WRITERS, 90),
    Desk("hotline", _("Hotline 12345"), "headset", frozenset({Role.COMMAND}), 88),
    Desk("systems", _("Connected systems"), "plug-connected", frozenset({Role.SYSTEM_ADMIN}), 85),
    Desk("standing_orders", _("Standing orders"), "urgent", RULE_KEEPERS, 81),
    Desk("deadlines", _("Deadlines"), "hourglass", RULE_KEEPERS, 80),
    Desk("rules", _("Routing rules"), "route", RULE_KEEPERS, 79),
    Desk("department", _("Department desk"), "inbox", frozenset({Role.DEPARTMENT_HANDLER}), 20),
    Desk("inspections", _("Inspections"), "clipboard-search", INSPECTION_READERS, 40),
    Desk("topics", _("Hot topics"), "flame", frozenset(AREA_READERS), 45),
    Desk("ai", _("How AI did"), "robot", RULE_KEEPERS | {Role.COUNTY_LEADER}, 93),
    Desk("ai_calls", _("Asked outside"), "message-question", frozenset({Role.AUDIT_ADMIN}), 95),
)

PHONE_TABS = (
    phone.Tab("worker", _("To do"), "checklist", 10),
    phone.Tab("inspection_round", _("To inspect"), "clipboard-check", 25, PHONE_INSPECTORS),
    phone.Tab("worker_mine", _("My reports"), "send", 30),
    phone.Tab("notices", _("Notices"), "bell", 40),
)

NOTICES = {
    "to_triage": (_("A report waits for triage"), "calm"),
    "possible_emergency": (_("Words of a possible emergency: decide at once"), "over"),
    "standing_call": (_("Emergency: you are called. Say that you have it."), "over"),
    "call_acknowledged": (_("A call in an emergency was acknowledged"), "calm"),
    "call_unanswered": (_("Nobody answered the calls in an emergency"), "over"),
    "triage_failed": (_("The triage stopped with an error; please decide yourself"), "warn"),
    "calendar_missing": (_("The working calendar of a year is missing"), "over"),
    "calendar_wanted": (_("A year of the working calendar is not imported yet"), "warn"),
    "to_dispatch": (_("A case waits to be dispatched"), "calm"),
    "whistle_wanted": (_("A complex case wants a whistle"), "warn"),
    "dispatched": (_("A case was sent to you; please accept it"), "calm"),
    "objection": (_("A receiver objects; please decide"), "warn"),
    "objection_upheld": (_("Your objection was upheld"), "calm"),
    "objection_rejected": (_("Your objection was rejected; the case stays with you"), "warn"),
    "task_answered": (_("A task of your case was answered; please check it"), "calm"),
    "task_sent_back": (_("A task of your case was sent back; please decide"), "warn"),
    "task_closed": (_("Your answer to a task was accepted"), "calm"),
    "task_dropped": (_("A task given to you is not needed any more"), "calm"),
    "whistle": (_("You are called in by whistle; please report in"), "warn"),
    "whistle_sign": (_("The lead has answered; please sign or dissent"), "calm"),
    "dissent": (_("A department dissents; please rule"), "warn"),
    "ruling": (_("The command centre has ruled"), "calm"),
    "to_verify": (_("A result waits to be checked"), "calm"),
    "sent_back": (_("The result did not hold; the case is back with you"), "over"),
    "call_back": (_("Please call the reporter back"), "calm"),
    "rate_please": (_("Your report was handled; please rate it"), "calm"),
    "reopened": (_("The reporter is not satisfied; the case is open again"), "over"),
    "merged_told": (_("Your report is handled together with an earlier one"), "calm"),
    "unmerged_told": (_("Your report goes its own way again"), "calm"),
    "unmerged": (_("A case was taken out of the one it was merged into"), "calm"),
    "twin_joined": (_("A repeat was merged into a case of yours"), "calm"),
    "not_solved": (_("The answer did not help; a person must look"), "warn"),
    "supervised": (_("Opened again too often; the county supervises it"), "over"),
    "supervision": (_("A supervision notice: please answer"), "over"),
    "supervision_replied": (_("A supervision notice was answered"), "calm"),
    "early_warning": (_("Far more reports than usual: please look into it"), "over"),
    "warn": (_("A deadline is near"), "warn"),
    "overdue": (_("A deadline was missed"), "over"),
    "escalate": (_("A case climbed to you"), "over"),
    "taken_up": (_("A case was taken from you: its deadline had passed"), "over"),
    "taken_up_here": (_("A case whose deadline had passed waits to be dispatched anew"), "over"),
    "redated": (_("The deadlines of a case changed by rule"), "calm"),
    "extension_wanted": (_("More time is asked for"), "calm"),
    "extension_approved": (_("More time was granted"), "calm"),
    "extension_told": (_("The time for a report of yours was extended"), "calm"),
    "extension_refused": (_("More time was refused"), "warn"),
    "suspended": (_("A case was suspended"), "calm"),
    "resumed": (_("A suspended case runs on"), "calm"),
    "hook_stopped": (_("A connected system takes nothing any more; please look"), "warn"),
    "system_update": (_("The system that sent a report tells something new"), "calm"),
}


# By what people choose them for other channels than the bell; the rest is new work.
ALARMS = frozenset({"possible_emergency", "standing_call", "call_unanswered"})
GROUPS: dict[str, frozenset[str]] = {
    Group.ALARM: ALARMS,
    Group.DEADLINE: frozenset(
        {
            "warn",
            "overdue",
            "escalate",
            "taken_up",
            "taken_up_here",
            "supervised",
            "supervision",
            "calendar_missing",
            "calendar_wanted",
        }
    ),
    Group.ANSWER: frozenset(
        {
            "objection_upheld",
            "objection_rejected",
            "ruling",
            "extension_approved",
            "extension_refused",
            "extension_told",
            "supervision_replied",
            "task_closed",
            "rate_please",
        }
    ),
    Group.INFO: frozenset(
        {
            *("suspended", "resumed", "redated", "triage_failed", "system_update"),
            *("hook_stopped", "merged_told", "unmerged_told", "twin_joined"),
        }
    ),
}


def _group_of(kind: str) -> str:
    return next((group for group, kinds in GROUPS.items() if kind in kinds), Group.WORK)


def _rating(data: Mapping[str, Any]) -> str:
    """Return the address of a rating; notices of before had no token and lead to the case."""
    return reverse("rate", args=[data["token"]]) if data.get("token") else ""


def _webhook(data: Mapping[str, Any]) -> str:
    return reverse("webhook", args=[data["system"]])


def _emergency_call(data: Mapping[str, Any]) -> str:
    return reverse("emergency_call", args=[data["call"]])


def _deadlines(data: Mapping[str, Any]) -> str:
    return reverse("deadlines")


def _warning(_data: Mapping[str, Any]) -> str:
    return reverse("topics")


_LEADS_TO = {
    "calendar_wanted": _deadlines,
    "early_warning": _warning,
    "standing_call": _emergency_call,
    "rate_please": _rating,
    "hook_stopped": _webhook,
}


def connect() -> None:
    """Register the desks and the notices."""
    for desk in DESKS:
        register(desk)
    for tab in PHONE_TABS:
        phone.register(tab)
    for kind, (text, level) in NOTICES.items():
        register_notice(
            kind,
            text,
            level=level,
            url=_LEADS_TO.get(kind),
            group=_group_of(kind),
            urgent=kind in ALARMS,
        )
