"""The administrator's view of incidents: catalogue, routing, knowledge base, models, cases.

What lives here: editing what is data, always through a service where more than one row
changes. Cases and their timeline are shown and never edited.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from core.admin import HistoryAdmin, HistoryInline
from grids.admin import KeptAdmin, RecordedAdmin
from incidents.models import (
    Article,
    Category,
    DeadlineVersion,
    Event,
    Incident,
    RetentionRule,
    RoutingRule,
    ScoreFormula,
    TriageExample,
    TriageModel,
)
from incidents.services.knowledge import activate_model, save_article
from incidents.services.routing import move_rule


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
class CategoryAdmin(RecordedAdmin):
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

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return ["code", "deadlines"] if obj else ["deadlines"]

    @admin.display(description=_("deadline versions"))
    def deadlines(self, obj: Category) -> SafeString:
        """They are changed on a page of their own, which shows what that does to open cases."""
        if obj.pk is None:
            return format_html("–")
        link = format_html(
            '<p><a href="{}">{}</a></p>', reverse("deadlines_of", args=[obj.code]), _("Change")
        )
        return link + show_deadlines(obj.deadline_versions.prefetch_related("deadlines"))


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
class RoutingRuleAdmin(RecordedAdmin):
    """The routing table, first match wins. The last error of a rule stands beside it."""

    subject_type = "routing_rule"
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


@admin.register(ScoreFormula)
class ScoreFormulaAdmin(KeptAdmin):
    """The weights of scores; a change is a new version from a day on."""

    list_display = [
        *("version", "valid_from", "basic", "response", "solved", "satisfied"),
        *("dispatch_count", "dispatch_on_time", "dispatch_right"),
        *("valid_reports", "misses", "attended", "checked"),
    ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


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
