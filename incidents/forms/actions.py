"""One form for each step a person may take, and the service verb it goes to.

What lives here: fields, lawful choices, and turning what was typed into the verb's keywords.
What must not: deciding whether the step may be taken (workflow) and taking it (services).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from core.working_calendar import Unit
from grids.models import SHAPES, Area, Department, Level, Role
from incidents.forms.fields import (
    CHOOSE,
    CategoryField,
    MomentField,
    NoteField,
    PhotosField,
    QuickSelect,
)
from incidents.models import Article, Incident, Score, State, Tier, Urgency
from incidents.queries import choices, running_clocks
from incidents.queries.case import photo_rule
from incidents.queries.more_time import cap_of
from incidents.queries.page import my_parties
from incidents.registry import handovers
from incidents.services import (
    answering,
    dispatching,
    handling,
    splitting,
    twins,
    verification,
    whistle,
)
from incidents.services.splitting import LONGEST, MOST_AT_ONCE, Task
from incidents.services.whistle import Call
from incidents.workflow import Actor, Right, rights

YES_NO = [("yes", _("Yes")), ("no", _("No"))]
HANDOVER_LABELS = {"mediation": _("Mediation")}
READ_BY_REPORTER = _("The reporter reads this.")
REPORTER_IS_TOLD = _("The reporter is told when it is approved.")


class ActionForm(forms.Form):
    """A step without anything to fill in; the others add their fields.

    ``seen`` is the version of the case the person looked at. ``template`` draws the fields when
    one after another is not enough; ``hint`` is a line above them.
    """

    template: ClassVar[str] = ""
    hint: Any = ""
    # Fields the verb takes under the same name.
    passed: ClassVar[tuple[str, ...]] = ()
    keeps_seen: ClassVar[bool] = True

    seen = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, data: Any = None, *, incident: Incident, actor: Actor, initial: Any = None
    ) -> None:
        self.incident, self.actor = incident, actor
        super().__init__(data, initial={"seen": incident.version, **(initial or {})})
        self.use_required_attribute = True
        if incident.parent_id:
            self._leave_reporter_out()
        self.prepare()

    def _leave_reporter_out(self) -> None:
        """A task has no reporter: whoever gave it reads instead."""
        for one in self.fields.values():
            if one.help_text is READ_BY_REPORTER:
                one.help_text = _("Whoever gave the task reads this.")
            elif one.help_text is REPORTER_IS_TOLD:
                one.help_text = ""

    def prepare(self) -> None:
        """Fill choices in from the case; called once the fields stand."""

    def arguments(self) -> dict[str, Any]:
        """Return the verb's keywords besides the case and the actor."""
        data = self.cleaned_data
        found = {name: data[name] for name in self.passed}
        if "photos" in data:
            found["photo_ids"] = data["photos"]
        if self.keeps_seen:
            found["seen"] = data["seen"]
        return found


class NoteForm(ActionForm):
    passed = ("note",)
    note = NoteField(label=_("Note"), required=False, rows=2)


class AnswerForm(ActionForm):
    """A question answered with an article of the knowledge base."""

    hint = _("The reporter reads the article with its source, and may say it is not solved.")
    article = forms.ChoiceField(label=_("Article"), widget=QuickSelect(attrs={"data-filter": ""}))

    def prepare(self) -> None:
        self.articles = {str(a.pk): a for a in Article.objects.filter(active=True)}
        rows = [(key, article.title) for key, article in self.articles.items()]
        self.fields["article"].choices = [CHOOSE, *rows]

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {"article": self.articles[data["article"]], "seen": data["seen"]}


class NeededNoteForm(ActionForm):
    passed = ("note",)
    note = NoteField(label=_("Note"))


class ReasonForm(ActionForm):
    passed = ("reason",)
    reason = NoteField(label=_("Reason"))


class RecallForm(ReasonForm):
    reason = NoteField(label=_("Reason"), help_text=READ_BY_REPORTER)


class UnmergeForm(ReasonForm):
    hint = _("It goes back to where it stood, with the time it had left.")
    reason = NoteField(label=_("Reason"), help_text=READ_BY_REPORTER)


class RemarkForm(ActionForm):
    passed = ("note",)
    keeps_seen = False
    note = NoteField(label=_("Remark"), help_text=_("Colleagues read it; the reporter does not."))
    photos = PhotosField(label=_("Photos"), required=False)


class ResultForm(ActionForm):
    passed = ("result",)
    result = NoteField(label=_("What was done"), rows=4, help_text=READ_BY_REPORTER)
    photos = PhotosField(label=_("Photos of the result"), required=False)

    def prepare(self) -> None:
        # Said before it is sent; the service refuses an answer without it.
        self.hint = photo_rule(self.incident)


class OnSpotForm(ActionForm):
    """Settled by a worker on the spot; a category is asked for where the case has none."""

    passed = ("result", "category")
    category = CategoryField(label=_("Category"), village_only=True)
    result = NoteField(label=_("What was done"), rows=3)
    photos = PhotosField(label=_("Photos of the result"), required=False)

    def prepare(self) -> None:
        if self.incident.category_id:
            del self.fields["category"]

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "result": data["result"],
            "category": data.get("category"),
            "photo_ids": data["photos"],
            "seen": data["seen"],
        }


class ExitForm(ActionForm):
    """Off the normal road; the category's standard text is there to start from."""

    passed = ("note",)
    road: ClassVar[str] = ""
    note = NoteField(
        label=_("What the reporter is told"),
        rows=4,
        help_text=_("Say who was called, or which road is the right one."),
    )

    def prepare(self) -> None:
        category = self.incident.category
        if category is not None and category.road == self.road:
            self.initial["note"] = category.road_note


class EmergencyExitForm(ExitForm):
    road = "emergency"


class StatutoryExitForm(ExitForm):
    road = "statutory"


class OutOfRemitExitForm(ExitForm):
    road = "out_of_remit"


class HandOverForm(ActionForm):
    passed = ("to", "note")
    to = forms.ChoiceField(label=_("Hand over to"))
    note = NoteField(label=_("What the reporter is told"))

    def prepare(self) -> None:
        names = [(name, HANDOVER_LABELS.get(name, name)) for name in sorted(handovers)]
        self.fields["to"].choices = names
        if len(names) == 1:
            self.fields["to"].widget = forms.HiddenInput()
            self.initial["to"] = names[0][0]


class MergeForm(ActionForm):
    """Choose the open case this one repeats, from those near it or by its code."""

    template = "incidents/forms/_merge.html"
    into = forms.CharField(label=_("Merge into"), max_length=16)
    note = NoteField(label=_("Note"), required=False, rows=2)

    def clean_into(self) -> Incident:
        found = (
            Incident.objects.visible_to(self.actor.user, self.actor.scope)
            .open()
            .filter(tracking_code=self.cleaned_data["into"].strip().upper())
            .first()
        )
        if found is None:
            raise ValidationError(_("There is no open case with this code in your area."))
        return found

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {"into": data["into"], "note": data["note"], "seen": data["seen"]}

    @cached_property
    def near(self) -> list[Incident]:
        """Open cases close by."""
        return choices.near_cases(self.incident, self.actor.user, self.actor.scope)


class TriageForm(ActionForm):
    """Category, tier, place; and whether the rules dispatch at once."""

    template = "incidents/forms/_triage.html"
    category = CategoryField(label=_("Category"), widget=QuickSelect(attrs={"data-filter": ""}))
    tier = forms.ChoiceField(label=_("Tier"), required=False, widget=QuickSelect)
    town = forms.ChoiceField(label=_("Town"), required=False, widget=QuickSelect)
    village = forms.ChoiceField(label=_("Village or community"), required=False, widget=QuickSelect)
    grid = forms.ChoiceField(label=_("Grid"), required=False, widget=QuickSelect)
    address = forms.CharField(
        label=_("Where exactly"),
        max_length=200,
        required=False,
        help_text=_("What the handler should look for."),
    )
    urgent = forms.BooleanField(label=_("Urgent: to be looked at sooner"), required=False)
    note = NoteField(label=_("Note"), required=False, rows=2)
    send = forms.BooleanField(label=_("Dispatch by the rules at once"), required=False)

    def prepare(self) -> None:
        incident = self.incident
        taken = [self.initial.get(level) for level in (Level.TOWN, Level.VILLAGE, Level.GRID)]
        own = [incident.town_id, incident.village_id, incident.grid_id]
        town, village, grid = taken if any(taken) else own
        self.fields["tier"].choices = [("", _("As the category says")), *Tier.choices]
        self.initial.update(
            category=incident.category_id or self.initial.get("category"),
            tier=incident.tier,
            town=town,
            village=village,
            grid=grid,
            address=incident.address,
            urgent=incident.urgency > Urgency.NORMAL,
            send=True,
        )
        places = choices.place_choices(
            incident,
            self.actor.scope,
            town_id=self._number("town"),
            village_id=self._number("village"),
        )
        for level in (Level.TOWN, Level.VILLAGE, Level.GRID):
            self.fields[level].choices = [("", "—"), *places[level]]

    def _number(self, name: str) -> int | None:
        value = self.data.get(name) if self.is_bound else self.initial.get(name)
        return int(value) if str(value or "").isdecimal() and len(str(value)) < 10 else None

    @property
    def chosen_area(self) -> Area | None:
        """The deepest area chosen, when it is another than the case's own."""
        data, incident = self.cleaned_data, self.incident
        now = [str(pk or "") for pk in (incident.town_id, incident.village_id, incident.grid_id)]
        if [data.get(level, "") for level in ("town", "village", "grid")] == now:
            return None
        for level in (Level.GRID, Level.VILLAGE, Level.TOWN):
            if data.get(level):
                return Area.objects.defer(*SHAPES).get(pk=data[level])
        return None

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "category": data["category"],
            "tier": data["tier"],
            "area": self.chosen_area,
            # A form of a list has no such field: then the words stay as they are.
            "address": data["address"] if "address" in self.data else None,
            "urgent": data["urgent"],
            "note": data["note"],
            "send": data["send"],
            "seen": data["seen"],
        }


class OwnerForm(ActionForm):
    """A lawful next owner: a department for the command centre, or an area of the case's town."""

    owner = forms.ChoiceField(label=_("Send to"), widget=QuickSelect(attrs={"data-filter": ""}))

    def prepare(self) -> None:
        incident = self.incident
        self.owners: dict[str, Department | Area] = {}
        groups: list[Any] = [CHOOSE]
        if self.actor.scope.holds(Role.COMMAND, [incident.county_id]):
            rows = choices.departments(incident.county_id)
            groups.append((_("Departments"), self._keyed("d", rows)))
        if incident.town is not None:
            groups.append((_("Town"), self._keyed("a", [incident.town])))
            if incident.category is not None and incident.category.village_allowed:
                groups += self._villages(incident.town)
        self.fields["owner"].choices = groups
        if not (incident.category and incident.category.village_allowed):
            self.fields["owner"].help_text = _(
                "This category is not on the list of what villages do, so no village is offered."
            )
        if incident.category is not None and incident.owner is None:
            self.initial.setdefault("owner", f"d{incident.category.owner_id}")

    def _keyed(self, kind: str, rows: list[Any]) -> list[tuple[str, str]]:
        self.owners |= {f"{kind}{row.pk}": row for row in rows}
        return [(f"{kind}{row.pk}", str(row)) for row in rows]

    def _villages(self, town: Area) -> list[Any]:
        groups: list[Any] = []
        for area in choices.areas_of_town(town):
            if area.level == Level.VILLAGE:
                groups.append((area.name, self._keyed("a", [area])))
            elif groups:
                groups[-1][1].extend(self._keyed("a", [area]))
        return groups

    def arguments(self) -> dict[str, Any]:
        chosen = self.owners[self.cleaned_data["owner"]]
        kind = "department" if isinstance(chosen, Department) else "area"
        return {**super().arguments(), kind: chosen}


class SplitForm(ActionForm):
    """Up to five parts of the work, each for an owner and with a time of its own."""

    template = "incidents/forms/_split.html"
    hint = _("You keep the case and answer it when every task is closed.")

    def prepare(self) -> None:
        lawful = OwnerForm(incident=self.incident, actor=self.actor)
        self.owners = dict(lawful.owners)
        offered = self._offered(lawful.fields["owner"].choices)
        for n in range(MOST_AT_ONCE):
            first = n == 0
            self.fields[f"text_{n}"] = NoteField(
                label=_("What is to be done"), rows=2, required=first
            )
            self.fields[f"owner_{n}"] = forms.ChoiceField(
                label=_("By whom"), choices=offered, required=first, widget=QuickSelect
            )
            self.fields[f"amount_{n}"] = forms.IntegerField(
                label=_("Within"), min_value=1, max_value=LONGEST, initial=2, required=first
            )
            self.fields[f"unit_{n}"] = forms.ChoiceField(
                label=_("Unit"),
                choices=Unit.choices,
                initial=Unit.WORKING_DAYS,
                required=first,
                widget=QuickSelect,
            )

    def _offered(self, lawful: list[Any]) -> list[Any]:
        """Return the owners this person may give a task; a department may choose its like."""
        incident, found = self.incident, list(lawful)
        if Right.DISPATCHER in rights(self.actor, incident):
            return found
        if incident.owner_department_id:
            rows = choices.departments(incident.county_id)
            keyed = {f"d{row.pk}": row for row in rows}
            self.owners |= keyed
            return [CHOOSE, (_("Departments"), [(k, str(r)) for k, r in keyed.items()]), *found[1:]]
        owner = incident.owner_area
        assert owner is not None  # only a case with an owner is split
        inside = {
            key
            for key, row in self.owners.items()
            if isinstance(row, Area) and row.path.startswith(owner.path)
            if row.level != Level.TOWN
        }
        kept = [
            (label, [one for one in rows if one[0] in inside])
            for label, rows in found
            if isinstance(rows, list)
        ]
        return [CHOOSE, *((label, rows) for label, rows in kept if rows)]

    def task_rows(self) -> list[tuple[Any, ...]]:
        """Return (number, text, owner, amount, unit) fields of each task, for the template."""
        names = ("text", "owner", "amount", "unit")
        return [(n + 1, *(self[f"{name}_{n}"] for name in names)) for n in range(MOST_AT_ONCE)]

    @property
    def filled(self) -> int:
        """How many rows show at once: those with something in them, and two at least."""
        used = [n for n in range(MOST_AT_ONCE) if self.is_bound and self.data.get(f"text_{n}")]
        return max([2, *(n + 1 for n in used)])

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        for n in range(1, MOST_AT_ONCE):
            if data.get(f"text_{n}") and not data.get(f"owner_{n}"):
                self.add_error(f"owner_{n}", _("Choose who does it."))
            if data.get(f"owner_{n}") and not data.get(f"text_{n}"):
                self.add_error(f"text_{n}", _("Please say what is to be done."))
        return data

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        tasks = []
        for n in range(MOST_AT_ONCE):
            if not data.get(f"text_{n}"):
                continue
            owner = self.owners[data[f"owner_{n}"]]
            kind = "department" if isinstance(owner, Department) else "area"
            tasks.append(
                Task(
                    text=data[f"text_{n}"],
                    amount=data[f"amount_{n}"] or 0,
                    unit=data[f"unit_{n}"],
                    **{kind: owner},
                )
            )
        return {"tasks": tasks, "seen": data["seen"]}


class DispatchForm(OwnerForm):
    passed = ("note",)
    note = NoteField(label=_("Note"), required=False, rows=2)


class UpholdForm(OwnerForm):
    passed = ("reason",)
    hint = _(
        "The objection is right: the case goes to another owner, whose turn to object is over."
    )
    reason = NoteField(label=_("Reason"), rows=2)


class RejectForm(ReasonForm):
    hint = _("The objection is not right: the case stays where it is, and that is final.")


class ExtensionForm(ActionForm):
    passed = ("amount", "unit", "reason")
    amount = forms.IntegerField(label=_("How much more"), min_value=1, max_value=720, initial=1)
    unit = forms.ChoiceField(label=_("Unit"), choices=Unit.choices, widget=QuickSelect)
    reason = NoteField(label=_("Reason"), help_text=REPORTER_IS_TOLD)

    def prepare(self) -> None:
        self.initial["unit"] = Unit.WORKING_DAYS
        cap = cap_of(self.incident, running_clocks(self.incident))
        if cap is None:
            return
        self.initial["unit"] = cap.unit
        self.fields["amount"].help_text = _(
            "All extensions together: at most %(cap)s (%(rule)s). Granted so far: %(used)s."
        ) % {"cap": cap.words, "rule": cap.rule, "used": cap.used_words or _("none")}


class SuspendForm(ActionForm):
    passed = ("until", "reason")
    hint = _("All clocks stop until then, and run on by themselves afterwards.")
    until = MomentField(label=_("Until"))
    reason = NoteField(label=_("Reason"), help_text=READ_BY_REPORTER)


class WhistleForm(ActionForm):
    """One lead, at least one more department, and what each is asked."""

    template = "incidents/forms/_blow_whistle.html"
    ask = NoteField(label=_("What is asked"))
    lead = forms.ChoiceField(label=_("Lead"))
    parties = forms.MultipleChoiceField(label=_("Co-handlers"))
    meet_at = MomentField(label=_("Meet at"), required=False)
    meet_place = forms.CharField(label=_("Meeting place"), max_length=200, required=False)

    def prepare(self) -> None:
        incident = self.incident
        self.departments = choices.departments(incident.county_id)
        offered = [(str(row.pk), row.label) for row in self.departments]
        self.fields["lead"].choices = self.fields["parties"].choices = offered
        if incident.category is not None:
            self.initial["lead"] = str(incident.category.owner_id)
        if incident.address:
            self.initial["meet_place"] = incident.address[:200]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """One line for each department: the department, what is ticked, and its ask."""
        lead, parties = self["lead"].value(), self["parties"].value() or []
        return [
            {
                "department": row,
                "value": str(row.pk),
                "lead": str(row.pk) == lead,
                "party": str(row.pk) in parties,
                "ask": self.data.get(f"ask_{row.pk}", "") if self.is_bound else "",
            }
            for row in self.departments
        ]

    def arguments(self) -> dict[str, Any]:
        data, called = self.cleaned_data, []
        for row in self.departments:
            is_lead = str(row.pk) == data["lead"]
            if is_lead or str(row.pk) in data["parties"]:
                ask = str(self.data.get(f"ask_{row.pk}", "")).replace("\x00", "")[:500]
                called.append(Call(row, ask, is_lead=is_lead))
        return {
            "ask": data["ask"],
            "calls": called,
            "meet_at": data["meet_at"],
            "meet_place": data["meet_place"],
            "seen": data["seen"],
        }


class PartyForm(ActionForm):
    """A step of a called department; somebody who works for several chooses which."""

    department = forms.ChoiceField(label=_("Department"))

    def prepare(self) -> None:
        self.departments = {
            str(party.department_id): party.department
            for party in my_parties(self.incident, self.actor.scope.department_ids)
        }
        rows = [(key, department.label) for key, department in self.departments.items()]
        self.fields["department"].choices = rows
        if len(rows) == 1:
            self.fields["department"].widget = forms.HiddenInput()
        self.initial["department"] = rows[0][0] if rows else ""

    def arguments(self) -> dict[str, Any]:
        department = self.departments[self.cleaned_data["department"]]
        return {**super().arguments(), "department": department}


class PartyNoteForm(PartyForm):
    passed = ("note",)
    note = NoteField(label=_("Note"), required=False, rows=2)


class PartyAnswerForm(PartyForm):
    passed = ("opinion",)
    opinion = NoteField(
        label=_("Opinion"), rows=4, help_text=_("The reporter reads the lead's answer.")
    )
    photos = PhotosField(label=_("Photos"), required=False)


class PartyDissentForm(PartyForm):
    passed = ("reason",)
    hint = _("The command centre then rules.")
    reason = NoteField(label=_("Where we disagree"))


class RuleForm(ActionForm):
    ruling = NoteField(label=_("Ruling"))
    answer_stands = forms.ChoiceField(
        label=_("The lead's answer"),
        choices=[("yes", _("Stands; go on to verification")), ("no", _("Must be given again"))],
        widget=forms.RadioSelect,
    )
    needless = forms.BooleanField(label=_("The whistle was not needed"), required=False)

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "ruling": data["ruling"],
            "answer_stands": data["answer_stands"] == "yes",
            "needless": data["needless"],
            "seen": data["seen"],
        }


class VerifyPassForm(ActionForm):
    passed = ("note",)
    hint = _("The reporter is then asked for a rating.")
    note = NoteField(
        label=_("What the check found"),
        required=False,
        rows=2,
        help_text=READ_BY_REPORTER,
    )
    photos = PhotosField(label=_("Photos"), required=False)
    needless = forms.BooleanField(label=_("The whistle was not needed"), required=False)

    def prepare(self) -> None:
        if self.incident.parent_id:
            self.hint = _("The task is closed then.")
        judges = self.actor.scope.holds(Role.COMMAND, [self.incident.county_id])
        if self.incident.tier != Tier.WHISTLE or not judges:
            del self.fields["needless"]

    def arguments(self) -> dict[str, Any]:
        judged = {"whistle_needless": self.cleaned_data.get("needless", False)}
        return super().arguments() | judged


class VerifyFailForm(ActionForm):
    passed = ("reason",)
    hint = _("The case goes back to the handler and counts as rework.")
    reason = NoteField(label=_("What is missing"))
    photos = PhotosField(label=_("Photos"), required=False)


class CallbackForm(ActionForm):
    """What the reporter said on the phone."""

    score = forms.ChoiceField(label=_("Rating"), choices=Score.choices, widget=forms.RadioSelect)
    solved = forms.ChoiceField(label=_("Solved?"), choices=YES_NO, widget=forms.RadioSelect)
    comment = NoteField(label=_("In the reporter's words"), required=False, max_length=1000)

    def arguments(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "score": data["score"],
            "solved": data["solved"] == "yes",
            "comment": data["comment"],
            "seen": data["seen"],
        }


class ConcludeForm(ReasonForm):
    reason = NoteField(label=_("What the reporter is told"), rows=4)


class SuperviseForm(ActionForm):
    passed = ("text",)
    text = NoteField(label=_("What is demanded"))


class ReplyForm(ActionForm):
    passed = ("reply",)
    reply = NoteField(label=_("Answer"))


@dataclass(frozen=True)
class Act:
    """How one action is asked for: its form, the verb, and keywords that never change."""

    form: type[ActionForm]
    verb: Callable[..., Any]
    fixed: Mapping[str, Any] = field(default_factory=dict)
    icon: str = "circle-dot"
    danger: bool = False


ACTION_FORMS: dict[str, Act] = {
    "triage": Act(TriageForm, dispatching.triage, icon="filter"),
    "answer": Act(AnswerForm, answering.answer, icon="message-check"),
    "exit_emergency": Act(
        EmergencyExitForm, dispatching.leave, {"road": "emergency"}, "urgent", danger=True
    ),
    "exit_statutory": Act(StatutoryExitForm, dispatching.leave, {"road": "statutory"}, "gavel"),
    "exit_out_of_remit": Act(
        OutOfRemitExitForm, dispatching.leave, {"road": "out_of_remit"}, "map-off"
    ),
    "merge": Act(MergeForm, twins.merge, icon="arrow-merge"),
    "unmerge": Act(UnmergeForm, twins.unmerge, icon="arrows-split-2"),
    "hand_over": Act(HandOverForm, dispatching.hand_over, icon="heart-handshake"),
    "recall": Act(RecallForm, dispatching.recall, icon="arrow-back-up"),
    "dispatch": Act(DispatchForm, dispatching.dispatch, icon="send"),
    "object": Act(ReasonForm, dispatching.object_to, icon="hand-stop"),
    "uphold_objection": Act(UpholdForm, dispatching.uphold_objection, icon="arrows-exchange"),
    "reject_objection": Act(RejectForm, dispatching.reject_objection, icon="x"),
    "accept": Act(ActionForm, handling.accept, icon="check"),
    "arrive": Act(NoteForm, handling.arrive, icon="map-pin-check"),
    "split": Act(SplitForm, splitting.split, icon="subtask"),
    "drop_task": Act(ReasonForm, splitting.drop, icon="x", danger=True),
    "respond": Act(ResultForm, handling.respond, icon="clipboard-check"),
    "handle_on_spot": Act(OnSpotForm, handling.handle_on_spot, icon="bolt"),
    "request_extension": Act(ExtensionForm, handling.request_extension, icon="clock-plus"),
    "approve_extension": Act(NoteForm, handling.decide_extension, {"approve": True}, "clock-check"),
    "refuse_extension": Act(
        NeededNoteForm, handling.decide_extension, {"approve": False}, "clock-x", danger=True
    ),
    "suspend": Act(SuspendForm, handling.suspend, icon="player-pause"),
    "resume": Act(NoteForm, handling.resume, icon="player-play"),
    "blow_whistle": Act(WhistleForm, whistle.blow, icon="speakerphone"),
    "party_accept": Act(PartyForm, whistle.party_accept, icon="check"),
    "party_arrive": Act(PartyNoteForm, whistle.party_arrive, icon="map-pin-check"),
    "party_answer": Act(PartyAnswerForm, whistle.party_answer, icon="message-2"),
    "party_sign": Act(PartyNoteForm, whistle.party_sign, icon="signature"),
    "party_dissent": Act(PartyDissentForm, whistle.party_dissent, icon="thumb-down", danger=True),
    "rule": Act(RuleForm, whistle.rule, icon="gavel"),
    "verify_pass": Act(VerifyPassForm, verification.verify_pass, icon="circle-check"),
    "verify_fail": Act(VerifyFailForm, verification.verify_fail, icon="arrow-back-up", danger=True),
    "record_callback": Act(CallbackForm, verification.record_callback, icon="phone"),
    "conclude": Act(ConcludeForm, verification.conclude, icon="flag"),
    "supervise": Act(SuperviseForm, verification.supervise, icon="alert-triangle"),
    "reply_supervision": Act(ReplyForm, verification.reply_supervision, icon="message-reply"),
    "remark": Act(RemarkForm, dispatching.remark, icon="message-plus"),
}

# Where each state leads, most likely first; the first one open to a person stands ready.
LIKELY: dict[str, tuple[str, ...]] = {
    State.REPORTED: ("triage", "handle_on_spot"),
    State.PENDING: ("dispatch", "blow_whistle", "triage", "handle_on_spot"),
    State.DISPATCHED: ("accept", "object", "handle_on_spot"),
    State.OBJECTED: ("uphold_objection", "reject_objection"),
    State.ACCEPTED: ("approve_extension", "refuse_extension", "arrive", "respond"),
    State.ARRIVED: ("approve_extension", "refuse_extension", "respond", "request_extension"),
    State.WHISTLED: (
        "party_accept", "party_arrive", "party_answer", "party_sign", "party_dissent",
    ),
    State.RULING: ("rule",),
    State.RESPONDED: ("verify_pass", "verify_fail"),
    State.CALLBACK: ("record_callback",),
    State.SUSPENDED: ("resume",),
    State.SUPERVISED: ("dispatch", "blow_whistle", "conclude"),
}  # fmt: skip


def in_order(incident: Incident, actions: list[str]) -> list[str]:
    """Return the actions with forms, the likeliest of the case's state first."""
    likely = LIKELY.get(incident.state, ())
    if incident.tier == Tier.WHISTLE and incident.state == State.PENDING:
        likely = ("blow_whistle", *likely)
    known = [action for action in actions if action in ACTION_FORMS]
    front = [action for action in dict.fromkeys(likely) if action in known]
    return front + [action for action in known if action not in front]


def likely_count(incident: Incident, actions: list[str]) -> int:
    """Return how many of the ordered actions belong to the ordinary road of the state."""
    return sum(action in LIKELY.get(incident.state, ()) for action in actions)
