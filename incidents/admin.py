"""The administrator's view of incidents: catalogue, routing, knowledge base, models, cases.

What lives here: editing what is data, always through a service where more than one row
changes. Cases and their timeline are shown and never edited.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core.admin import HistoryAdmin, HistoryInline
from core.working_calendar import Unit
from grids.admin import KeptAdmin
from incidents.models import (
    Article,
    Category,
    DeadlineVersion,
    Event,
    Incident,
    RetentionRule,
    RoutingRule,
    Stage,
    TriageExample,
    TriageModel,
)
from incidents.services.catalogue import Term, set_deadlines
from incidents.services.knowledge import activate_model, save_article
from incidents.services.routing import move_rule


class DeadlineForm(forms.ModelForm):
    """A new set of deadlines: an amount and a unit for each stage, empty for the county's own."""

    class Meta:
        model = DeadlineVersion
        fields = ["valid_from"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for stage in Stage:
            self.fields[f"{stage}_amount"] = forms.IntegerField(
                label=stage.label, min_value=1, max_value=3650, required=False
            )
            self.fields[f"{stage}_unit"] = forms.ChoiceField(
                label=_("unit"), choices=Unit.choices, required=False
            )

    def clean(self) -> dict[str, Any]:
        super().clean()
        if self.has_changed() and not self.terms():
            raise forms.ValidationError(_("Give at least one deadline."))
        return self.cleaned_data

    def terms(self) -> list[Term]:
        """Return the deadlines given."""
        return [
            Term(stage, self.cleaned_data[f"{stage}_amount"], self.cleaned_data[f"{stage}_unit"])
            for stage in Stage.values
            if self.cleaned_data.get(f"{stage}_amount")
        ]

    def save(self, commit: bool = True) -> DeadlineVersion:
        """Leave writing to the service, which numbers the version."""
        return super().save(commit=False)


class NewDeadlines(BaseInlineFormSet):
    """Only ever an empty form: versions in use are never edited."""

    def get_queryset(self) -> QuerySet[DeadlineVersion]:
        return self.model.objects.none()


class NewDeadlinesInline(admin.StackedInline):
    model = DeadlineVersion
    form = DeadlineForm
    formset = NewDeadlines
    extra = 0
    max_num = 1
    can_delete = False
    verbose_name = _("new deadline version")
    verbose_name_plural = _("new deadline version")
    fieldsets = [
        (None, {"fields": ["valid_from"]}),
        (
            _("Deadlines; an empty stage follows the county's own"),
            {"fields": [(f"{stage}_amount", f"{stage}_unit") for stage in Stage.values]},
        ),
    ]

    def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
        # The stages are declared by the form itself; the admin only knows the model's fields.
        kwargs["fields"] = ["valid_from"]
        return super().get_formset(request, obj, **kwargs)


def show_deadlines(versions: QuerySet[DeadlineVersion]) -> SafeString:
    """Return versions, newest first, with their deadlines, one line each."""
    return format_html_join(
        "",
        "<p><strong>v{}</strong> · {} · {}</p>",
        (
            (
                version.version,
                version.valid_from,
                "；".join(
                    f"{deadline.get_stage_display()}{deadline.name} "
                    f"{deadline.amount} {deadline.get_unit_display()}"
                    for deadline in version.deadlines.all()
                ),
            )
            for version in versions
        ),
    )


@admin.register(Category)
class CategoryAdmin(admin.ModelAdmin):
    """The catalogue. Items that cases use are switched off, not deleted."""

    list_display = [
        *("code", "name", "major", "owner", "tier", "village_allowed", "ai_allowed"),
        *("is_question", "urgent", "road", "publication", "active"),
    ]
    list_filter = [
        *("active", "tier", "road", "publication"),
        *("village_allowed", "ai_allowed", "owner"),
    ]
    list_select_related = ["owner"]
    search_fields = ["code", "name", "name_en", "major"]
    readonly_fields = ["deadlines"]
    inlines = [NewDeadlinesInline]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "deadlines"] if obj else ["deadlines"]

    @admin.display(description=_("deadline versions"))
    def deadlines(self, obj: Category) -> SafeString:
        return show_deadlines(obj.deadline_versions.prefetch_related("deadlines"))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        formset.new_objects, formset.changed_objects, formset.deleted_objects = [], [], []
        for line in formset.forms:
            if line.has_changed():
                write_deadlines(request, line, category=form.instance)


def write_deadlines(
    request: HttpRequest, form: DeadlineForm, category: Category | None
) -> DeadlineVersion:
    """Write the form's deadlines as a new version."""
    return set_deadlines(
        category=category,
        terms=form.terms(),
        valid_from=form.cleaned_data["valid_from"],
        actor=request.user,
    )


@admin.register(DeadlineVersion)
class CountyDeadlinesAdmin(admin.ModelAdmin):
    """The county's own deadlines, for stages an item leaves open. A change is a new version."""

    form = DeadlineForm
    list_display = ["version", "valid_from", "terms"]
    ordering = ["-version"]
    fieldsets = NewDeadlinesInline.fieldsets

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        kwargs["fields"] = ["valid_from"]
        return super().get_form(request, obj, change, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[DeadlineVersion]:
        own = super().get_queryset(request).filter(category__isnull=True)
        return own.prefetch_related("deadlines")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return [(None, {"fields": ["version", "terms"]})] if obj else self.fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["version", "terms"] if obj else []

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @admin.display(description=_("deadlines"))
    def terms(self, obj: DeadlineVersion) -> SafeString:
        return show_deadlines(
            DeadlineVersion.objects.filter(pk=obj.pk).prefetch_related("deadlines")
        )

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        # The log of the admin and its redirect want the row that was written.
        obj.pk = write_deadlines(request, form, category=None).pk


class RuleForm(forms.ModelForm):
    """A routing rule with its weekdays checked."""

    def clean_weekdays(self) -> str:
        days = self.cleaned_data["weekdays"]
        if not set(days) <= set("1234567"):
            raise forms.ValidationError(
                _("Weekdays are digits from 1 (Monday) to 7 (Sunday), e.g. 67.")
            )
        return "".join(sorted(set(days)))


@admin.register(RoutingRule)
class RoutingRuleAdmin(admin.ModelAdmin):
    """The routing table, first match wins. The last error of a rule stands beside it."""

    form = RuleForm
    list_display = [
        *("position", "name", "active", "conditions", "owner_kind", "department", "error"),
    ]
    list_display_links = ["name"]
    list_filter = ["active", "owner_kind", "tier"]
    list_select_related = ["category", "area", "department"]
    search_fields = ["name"]
    autocomplete_fields = ["category"]
    raw_id_fields = ["area"]
    readonly_fields = ["error"]
    actions = ["move_up", "move_down", "forget_error"]
    fieldsets = [
        (None, {"fields": ["position", "name", "active", ("valid_from", "valid_to")]}),
        (
            _("When (an empty condition matches everything)"),
            {
                "fields": [
                    *("category", "major", "area", "tier", "source", "weekdays"),
                    ("from_time", "to_time"),
                ]
            },
        ),
        (_("Then"), {"fields": ["owner_kind", "department", "error"]}),
    ]

    @admin.display(description=_("conditions"))
    def conditions(self, obj: RoutingRule) -> str:
        parts = [
            obj.category.label if obj.category else "",
            obj.major,
            str(obj.area or ""),
            obj.get_tier_display() if obj.tier else "",
            obj.get_source_display() if obj.source else "",
            obj.weekdays,
            f"{obj.from_time:%H:%M}–{obj.to_time:%H:%M}" if obj.from_time else "",
        ]
        return " · ".join(part for part in parts if part) or "—"

    @admin.display(description=_("last error"))
    def error(self, obj: RoutingRule) -> str:
        if not obj.last_error:
            return "—"
        when = timezone.localtime(obj.last_error_at)
        return format_html("{} <small>{}</small>", obj.last_error, when.strftime("%Y-%m-%d %H:%M"))

    @admin.action(description=_("Move one place up"), permissions=["change"])
    def move_up(self, request: HttpRequest, queryset: QuerySet[RoutingRule]) -> None:
        for rule in queryset.order_by("position"):
            move_rule(rule_id=rule.pk, up=True, actor=request.user)

    @admin.action(description=_("Move one place down"), permissions=["change"])
    def move_down(self, request: HttpRequest, queryset: QuerySet[RoutingRule]) -> None:
        for rule in queryset.order_by("-position"):
            move_rule(rule_id=rule.pk, up=False, actor=request.user)

    @admin.action(description=_("Clear the last error"), permissions=["change"])
    def forget_error(self, request: HttpRequest, queryset: QuerySet[RoutingRule]) -> None:
        queryset.update(last_error="", last_error_at=None)


@admin.register(RetentionRule)
class RetentionRuleAdmin(KeptAdmin):
    """How long personal data is kept; a change is a new rule from a day on."""

    list_display = ["what", "days", "valid_from", "reason"]
    list_filter = ["what"]


@admin.register(Article)
class ArticleAdmin(admin.ModelAdmin):
    list_display = ["code", "title", "category", "source", "published_on", "active"]
    list_filter = ["active", "category"]
    list_select_related = ["category"]
    search_fields = ["code", "title", "body"]
    autocomplete_fields = ["category"]

    def save_model(self, request: HttpRequest, obj: Article, form: ModelForm, change: bool) -> None:
        save_article(article=obj, actor=request.user)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Answers given name the article: it is switched off instead.
        return False


@admin.register(TriageExample)
class TriageExampleAdmin(admin.ModelAdmin):
    list_display = ["text", "category", "source"]
    list_filter = ["source"]
    list_select_related = ["category"]
    search_fields = ["text"]
    autocomplete_fields = ["category"]


@admin.register(TriageModel)
class TriageModelAdmin(HistoryAdmin):
    """Trained versions; one is in force."""

    list_display = ["version", "active", "accuracy", "macro_f1", "threshold", "trained_at"]
    fields = [
        *("version", "active", "accuracy", "macro_f1", "threshold", "precision_asked"),
        *("trained_at", "classes"),
    ]
    readonly_fields = ["accuracy", "macro_f1", "classes"]
    ordering = ["-version"]
    actions = ["activate"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TriageModel]:
        return super().get_queryset(request).defer("blob")

    @admin.display(description=_("accuracy"))
    def accuracy(self, obj: TriageModel) -> str:
        return f"{obj.report.get('accuracy', 0):.1%}"

    @admin.display(description=_("macro-F1"))
    def macro_f1(self, obj: TriageModel) -> str:
        return f"{obj.report.get('macro_f1', 0):.3f}"

    @admin.display(description=_("by category"))
    def classes(self, obj: TriageModel) -> SafeString:
        lines = sorted(obj.report.get("per_class", {}).items(), key=lambda item: item[1]["f1"])
        return format_html_join(
            "",
            "<p>{}: F1 {} · P {} · R {} · {}</p>",
            (
                (
                    code,
                    *(f"{one[name]:.2f}" for name in ("f1", "precision", "recall")),
                    one["count"],
                )
                for code, one in lines
            ),
        )

    @admin.action(description=_("Put this version in force"), permissions=["activate"])
    def activate(self, request: HttpRequest, queryset: QuerySet[TriageModel]) -> None:
        if queryset.count() != 1:
            self.message_user(request, _("Choose exactly one version."), messages.ERROR)
            return
        model = queryset.get()
        activate_model(model=model, actor=request.user)
        self.message_user(
            request,
            _("Version %(version)s is in force.") % {"version": model.version},
            messages.SUCCESS,
        )

    def has_activate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("incidents.change_triagemodel")


class EventInline(HistoryInline):
    model = Event
    fields = ("seq", "at", "action", "actor_kind", "actor", "from_state", "to_state", "note")
    ordering = ["seq"]


@admin.register(Incident)
class IncidentAdmin(HistoryAdmin):
    """Cases as they stand, for looking into a fault; contacts are not shown here."""

    list_display = ["tracking_code", "beginning", "state", "category", "town", "reported_at"]
    list_filter = ["state", "tier", "source"]
    list_select_related = ["category", "town"]
    search_fields = ["=tracking_code"]
    ordering = ["-id"]
    exclude = ["bigrams", "location", "report_key"]
    inlines = [EventInline]

    @admin.display(description=_("what is wrong"))
    def beginning(self, incident: Incident) -> str:
        return incident.summary


@admin.register(Event)
class EventAdmin(HistoryAdmin):
    list_display = ["id", "incident", "seq", "at", "action", "actor_kind", "actor", "to_state"]
    list_filter = ["actor_kind"]
    list_select_related = ["incident", "actor"]
    search_fields = ["=incident__tracking_code"]
    ordering = ["-id"]
