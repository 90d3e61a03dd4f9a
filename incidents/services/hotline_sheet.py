"""Work orders of a hotline as a sheet: whatever its columns are called, each order is one report.

What lives here: the columns we know, guessing which is which, the plan of a row and taking it in.
What must not: reading files (core.sheets), and what a report is (services/sent_cases.py).
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from core.errors import Invalid
from core.masking import mask_name, mask_phone, mask_text
from core.models import SheetUpload
from core.phone import PhoneError, plain_phone
from core.services import sheets
from core.sheets.columns import Column, Kind, moment, squeezed, text
from core.sheets.plan import ADDED, UNCHANGED, Line, Progress, Row, SheetKind, refused
from grids.models import User
from incidents.models import Category, HotlineMapping, SentCase, Source, System
from incidents.services.intake import TEXT_LIMIT, Report
from incidents.services.sent_cases import NUMBER_LIMIT, send_report
from incidents.workflow import Actor

KIND = "hotline_orders"
BATCH = 100
HEAD = 40


def _phone_or_nothing(value: str) -> str:
    """Return a number one may call; hotlines also write "not left" or mask it, which is none."""
    try:
        return plain_phone(value)
    except PhoneError:
        return ""


# What each of our columns may be called over there, the likeliest first.
ALIASES: dict[str, tuple[str, ...]] = {
    "number": ("工单号", "工单编号", "受理编号", "工单流水号", "诉求编号", "编号", "流水号"),
    "called_at": ("来电时间", "受理时间", "诉求时间", "反映时间", "登记时间", "创建时间"),
    "name": ("来电人", "来电人姓名", "诉求人", "反映人", "姓名", "联系人", "市民姓名"),
    "phone": ("联系电话", "来电号码", "联系方式", "手机号码", "手机号", "电话"),
    "title": ("工单标题", "诉求标题", "标题", "主题"),
    "text": ("诉求内容", "工单内容", "反映内容", "问题描述", "受理内容", "内容", "诉求描述"),
    "area": ("所属区域", "所属区划", "行政区划", "属地", "所属乡镇", "乡镇", "街道", "区域"),
    "address": ("地址", "诉求地址", "事发地址", "事发地点", "问题地址", "地点", "详细地址"),
    "category": ("诉求类型", "诉求分类", "事项分类", "问题分类", "工单类型", "分类", "类别"),
    "due_at": ("办结时限", "办理时限", "截止时间", "要求办结时间", "到期时间", "处置时限", "时限"),
}


def columns(actor: User | None = None) -> list[Column]:
    """Return the columns we know, under our own headings."""
    return [
        Column("number", _lazy("Work order number"), text(NUMBER_LIMIT), required=True, width=20),
        Column("called_at", _lazy("Called at"), moment(last=False), width=18),
        Column("name", _lazy("Caller"), text(40), width=12),
        Column("phone", _lazy("Contact phone"), Kind(_phone_or_nothing), width=16),
        Column("title", _lazy("Title"), text(200), width=24),
        Column("text", _lazy("What the caller says"), text(TEXT_LIMIT), required=True, width=50),
        Column("area", _lazy("Area it belongs to"), text(100), width=18),
        Column("address", _lazy("Address"), text(200), width=30),
        Column("category", _lazy("Kind of matter"), text(100), width=18),
        Column("due_at", _lazy("To be resolved by"), moment(last=True), width=18),
    ]


def guessed(headings: Sequence[str]) -> dict[str, str]:
    """Return {our key: their heading} as far as the words tell, each heading once.

    >>> guessed(["受理编号", "诉求内容", "备注"])
    {'number': '受理编号', 'text': '诉求内容'}
    """
    found: dict[str, str] = {}
    fits: tuple[Callable[[str, str], bool], ...] = (str.__eq__, str.__contains__)
    for fit in fits:
        for key, names in ALIASES.items():
            free = [one for one in headings if one not in found.values()]
            hit = next((one for name in names for one in free if fit(squeezed(one), name)), None)
            if key not in found and hit is not None:
                found[key] = hit
    return {key: found[key] for key in ALIASES if key in found}


def offered(upload: SheetUpload) -> dict[str, str]:
    """Return what was chosen for such headings of this system before, else a guess (1 query)."""
    headings = upload.settings["headings"]
    kept = HotlineMapping.objects.filter(
        system=upload.settings["system"], headings=fingerprint(headings)
    ).first()
    return kept.columns if kept else guessed(headings)


def fingerprint(headings: Sequence[str]) -> str:
    """Return what stands for a row of headings."""
    return hashlib.sha256("\n".join(map(squeezed, headings)).encode()).hexdigest()


def take(*, system_id: int, data: bytes, file_name: str, actor: User) -> SheetUpload:
    """Keep a hotline's file; its headings are read in the background. Raises Invalid, BadUpload."""
    if not System.objects.filter(pk=system_id, active=True).exists():
        raise Invalid(_("Choose the hotline this file comes from."), field="system")
    settings = {"system": system_id}
    return sheets.take(kind=KIND, data=data, file_name=file_name, actor=actor, settings=settings)


def match(*, upload: SheetUpload, chosen: Mapping[str, str], actor: User) -> None:
    """Have the file read by these columns, and remember them for the next one like it.

    Raises Invalid when a needed one is missing or one heading stands for two, Conflict.
    """
    headings = upload.settings["headings"]
    chosen = {key: heading for key, heading in chosen.items() if heading}
    wrong: dict[str, list[Any]] = {}
    for column in columns():
        heading = chosen.get(column.key)
        if column.required and heading is None:
            wrong[column.key] = [_("Choose the column where this stands.")]
        elif heading is not None and heading not in headings:
            wrong[column.key] = [_("This value is not one of its choices.")]
        elif heading is not None and list(chosen.values()).count(heading) > 1:
            wrong[column.key] = [_("Each column of the file can stand for one thing only.")]
    if wrong:
        raise Invalid(errors=wrong)
    sheets.match(upload_id=upload.pk, kind=KIND, actor=actor, columns=chosen)
    HotlineMapping.objects.update_or_create(
        system_id=upload.settings["system"],
        headings=fingerprint(headings),
        defaults={"columns": chosen, "used_at": timezone.now()},
    )


def bound(upload: SheetUpload) -> SheetKind:
    """Return the kind for one upload: its columns under their headings there, and its system."""
    called = upload.settings.get("columns", {})
    system_id = upload.settings["system"]
    mine = [
        replace(column, called=called[column.key]) for column in columns() if column.key in called
    ]
    return replace(
        SHEET,
        columns=lambda _actor: mine,
        plan=partial(plan, system_id=system_id),
        apply=partial(apply, system_id=system_id),
    )


@dataclass(frozen=True)
class _Known:
    cases: dict[str, str]
    items: dict[str, int]


def plan(
    rows: Sequence[Row], *, actor: User, progress: Progress, lock: bool, system_id: int
) -> list[Line]:
    """Return what each row would do; changes nothing (2 queries however many rows)."""
    numbers = {row.values["number"] for row in rows} - {None}
    sent = SentCase.objects.filter(system=system_id, external_id__in=numbers)
    known = _Known(
        cases=dict(sent.values_list("external_id", "incident__tracking_code")),
        items={
            squeezed(name): pk
            for pk, *names in Category.objects.filter(active=True).values_list("pk", "name", "code")
            for name in names
        },
    )
    first: dict[str, int] = {}
    lines = []
    for done, row in enumerate(rows, 1):
        lines.append(_judged(row, known, first))
        progress(done)
    return lines


def _judged(row: Row, known: _Known, first: dict[str, int]) -> Line:
    number = row.values["number"] or ""
    said = _said(row)
    title = f"{number} {mask_text(said)[:HEAD]}".strip()
    if number and number in first:
        row.refuse(
            "number",
            _("This number stands in row %(row)s already.") % {"row": first[number]},
            _("Remove one of the two rows."),
        )
    first.setdefault(number, row.number)
    if not row.faults and len(said) < 2:
        row.refuse("text", _("This says nothing."), _("Write what the caller said."))
    if row.faults:
        return refused(row, title)
    if number in known.cases:
        here = (_("Here already as"), "", known.cases[number])
        return Line(row.number, UNCHANGED, row.cells, title=title, changes=[here])
    op = _op(row, said, known)
    return Line(row.number, ADDED, row.cells, title=title, changes=_shown(row, op), op=op)


def _said(row: Row) -> str:
    title, told = (row.values.get(key) or "" for key in ("title", "text"))
    whole = told if not title or title in told else f"{title}。{told}"
    return whole.strip()[:TEXT_LIMIT]


def _op(row: Row, said: str, known: _Known) -> dict[str, Any]:
    values = row.values
    area, address = (values.get(key) or "" for key in ("area", "address"))
    return {
        "number": values["number"],
        "text": said,
        "address": (address if area in address else f"{area}{address}")[:200],
        "name": values.get("name") or "",
        "phone": values.get("phone") or "",
        "category": known.items.get(squeezed(values.get("category") or "")),
        "called_at": _written(values.get("called_at")),
        "due_at": _written(values.get("due_at")),
    }


def _shown(row: Row, op: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Return what the preview says of a row; names and numbers masked."""
    due = row.values.get("due_at")
    shown = [
        (_("Address"), mask_text(op["address"])),
        (_("Caller"), " ".join(filter(None, (mask_name(op["name"]), mask_phone(op["phone"]))))),
        (_("To be resolved by"), f"{due:%Y-%m-%d %H:%M}" if due else ""),
    ]
    if due and due < timezone.now():
        shown.append((_("Note"), _("This deadline has passed already.")))
    kind = row.values.get("category")
    if kind and op["category"] is None:
        shown.append(
            (_("Note"), _("“%(kind)s” is no item of ours; the triage decides.") % {"kind": kind})
        )
    return [(what, "", value) for what, value in shown if value]


def _written(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def apply(lines: Sequence[Line], *, actor: User, source: str, system_id: int) -> dict[str, int]:
    """Take the work orders in as reports; one that is here already stays as it is."""
    system = System.objects.get(pk=system_id)
    items = Category.objects.in_bulk({line.op["category"] for line in lines} - {None})
    by = Actor.for_user(actor)
    opened = 0
    for line in lines:
        op = line.op
        sent = Report(
            text=op["text"],
            source=Source.HOTLINE,
            address=op["address"],
            category=items.get(op["category"]),
            name=op["name"],
            phone=op["phone"],
            sender=system.name,
        )
        _incident, new = send_report(
            sent=sent,
            system=system,
            external_id=op["number"],
            for_public=False,
            called_at=parse_datetime(op["called_at"]) if op["called_at"] else None,
            due_at=parse_datetime(op["due_at"]) if op["due_at"] else None,
            actor=by,
        )
        opened += new
    return {"cases_opened": opened}


SHEET = SheetKind(
    key=KIND,
    title=_lazy("Hotline work orders"),
    columns=columns,
    plan=plan,
    apply=apply,
    matched=True,
    bound=bound,
    batch=BATCH,
)
