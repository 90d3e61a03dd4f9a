"""The administrator's view of incidents: catalogue, routing, knowledge base, models, cases.

What lives here: editing what is data, always through a service where more than one row
changes. Cases and their timeline are shown and never edited.
"""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.urls import reverse
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
    ScoreFormula,
    TriageExample,
    TriageModel,
)
from incidents.services.knowledge import activate_model, save_article


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
    list_display = [
        *("code", "title", "category", "source", "published_on", "valid_until", "active"),
    ]
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
