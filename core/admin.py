"""The administrator's view of the ground floor: calendar, outbox, timers, audit trail."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import ModelForm
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from core.forms import CalendarImportForm
from core.models import AuditEntry, CalendarDay, CalendarYear, OutboxMessage, Timer
from core.paginator import CappedPaginator
from core.services import calendar, outbox


class HistoryAdmin(admin.ModelAdmin):
    """Shows rows that only services write, in tables that grow for ever."""

    paginator = CappedPaginator
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class HistoryInline(admin.TabularInline):
    """Shows rows under another that only services write."""

    extra = 0
    can_delete = False

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class CalendarDayInline(HistoryInline):
    model = CalendarDay
    fields = ("date", "kind", "name")


@admin.register(CalendarYear)
class CalendarYearAdmin(admin.ModelAdmin):
    """Adding a year imports it; adding it again replaces its days."""

    list_display = ["year", "source", "imported_at"]
    ordering = ["-year"]
    readonly_fields = ["source", "imported_at"]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            return CalendarImportForm
        return super().get_form(request, obj, change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["year", "source", "work_hours", "imported_at"] if obj else ["year", "file"]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        return ["year", "source", "imported_at"] if obj else []

    def get_inlines(self, request: HttpRequest, obj: Any = None) -> Any:
        return [CalendarDayInline] if obj else []

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: CalendarYear, form: ModelForm, change: bool
    ) -> None:
        if change:
            calendar.set_work_hours(year=obj.year, work_hours=obj.work_hours, actor=request.user)
            return
        source = form.cleaned_data.get("rows", calendar.PACKAGE)
        calendar.import_year(year=obj.year, actor=request.user, source=source)


@admin.register(OutboxMessage)
class OutboxMessageAdmin(HistoryAdmin):
    list_display = ["id", "topic", "key", "state", "attempts", "next_attempt_at", "last_error"]
    list_filter = ["state"]
    actions = ["resend"]

    @admin.action(description=_("Send dead messages again"), permissions=["resend"])
    def resend(self, request: HttpRequest, queryset: QuerySet[OutboxMessage]) -> None:
        count = outbox.resend(
            actor=request.user, messages=list(queryset.values_list("pk", flat=True))
        )
        text = ngettext(
            "%(count)s message will be sent again.",
            "%(count)s messages will be sent again.",
            count,
        )
        self.message_user(request, text % {"count": count}, messages.SUCCESS)

    def has_resend_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("core.change_outboxmessage")


@admin.register(Timer)
class TimerAdmin(HistoryAdmin):
    list_display = [
        "subject_type",
        "subject_id",
        "kind",
        "stage",
        "cycle",
        "due_at",
        "fired_at",
        "failures",
        "last_error",
    ]
    list_filter = [("fired_at", admin.EmptyFieldListFilter)]
    search_fields = ["=subject_id"]


@admin.register(AuditEntry)
class AuditEntryAdmin(HistoryAdmin):
    list_display = ["at", "actor", "action", "subject_type", "subject_id", "ip"]
    list_select_related = ["actor"]
    search_fields = ["=subject_id"]
