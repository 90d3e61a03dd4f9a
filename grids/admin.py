"""The administrator's view of territory and people.

What must not live here: rights (backends.py) and the drawing of boundaries, which come by import.
"""

from typing import Any

from axes.admin import AccessAttemptAdmin
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.models import Group
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from core.admin import HistoryInline
from core.ratelimit import client_ip
from core.services import audit
from grids.forms import PostingForm
from grids.models import SHAPES, Area, AreaCode, Department, NegativeItem, Posting, User
from grids.models.posting import KEEPERS
from grids.services import accounts, sessions

admin.site.site_header = admin.site.site_title = _("Geshi administration")
AccessAttemptAdmin.status.short_description = _("state")  # unnamed in the library
admin.site.unregister(Group)  # rights come from postings


class RecordedAdmin(admin.ModelAdmin):
    """Rows whose every change here is in the audit trail."""

    # What the trail calls them, where it is not the model's own name.
    subject_type = ""

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, "admin_added", obj, message)
        return super().log_addition(request, obj, message)

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> Any:
        self._record(request, "admin_changed", obj, message)
        return super().log_change(request, obj, message)

    def log_deletions(self, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        for obj in queryset:
            self._record(request, "admin_deleted", obj, [])
        return super().log_deletions(request, queryset)

    def _record(self, request: HttpRequest, action: str, obj: Model, message: Any) -> None:
        # The message names the fields that changed, never their values.
        audit.record(
            actor=request.user,
            action=action,
            subject_type=self.subject_type or str(obj._meta.model_name),
            subject_id=obj.pk,
            data={"message": message},
            ip=client_ip(request),
        )


class KeptAdmin(RecordedAdmin):
    """Rows that are changed but never deleted."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class AreaCodeInline(HistoryInline):
    """The codes an area has had."""

    model = AreaCode


class LookedAtAdmin(admin.ModelAdmin):
    """Rows to be looked up here and changed elsewhere."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Area)
class AreaAdmin(LookedAtAdmin):
    """Areas: they are changed on the territory pages, by import or by a reorganisation."""

    list_display = ["code", "name", "level", "grid_kind", "closed_on"]
    list_filter = ["level", "grid_kind"]
    search_fields = ["=code", "name"]
    fields = [
        "code", "level", "path", "depth", "numchild", "name", "grid_kind", "organisation",
        "closed_on",
    ]  # fmt: skip
    inlines = [AreaCodeInline]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Area]:
        return super().get_queryset(request).defer(*SHAPES)


@admin.register(AreaCode)
class AreaCodeAdmin(LookedAtAdmin):
    """The history of codes, to look up where an old code went."""

    list_display = ["code", "area", "valid", "source"]
    search_fields = ["=code", "area__name"]
    list_select_related = ["area"]


@admin.register(Department)
class DepartmentAdmin(KeptAdmin):
    """Departments that incidents are sent to."""

    list_display = ["code", "name", "short_name", "active"]
    search_fields = ["code", "name", "name_en"]
    autocomplete_fields = ["county"]


@admin.register(User)
class UserAdmin(KeptAdmin, DjangoUserAdmin):
    """Accounts are made here. Flags for rights are not shown: what a person may do follows from
    postings. Passwords and locks are the security administrator's, and an administrator's account
    is nobody's but the server's (services/accounts.py).
    """

    list_display = ["username", "display_name", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff", "is_demo"]
    search_fields = ["username", "display_name"]
    show_full_result_count = False
    filter_horizontal = ()
    fieldsets = [
        (None, {"fields": ["username"]}),
        (_("Person"), {"fields": ["display_name"]}),
        (_("Account"), {"fields": ["is_active", "is_staff", "last_login", "date_joined"]}),
    ]
    readonly_fields = ["last_login", "date_joined", "is_active"]
    add_fieldsets = [
        (None, {"fields": ["username", "display_name", "password1", "password2"]}),
    ]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        may = super().has_change_permission(request, obj)
        return may and (obj is None or not accounts.is_keeper(obj))

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> Any:
        raise PermissionDenied

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        if not change:
            # Whoever makes the account knows this password.
            obj.must_change_password = True
        super().save_model(request, obj, form, change)


@admin.register(Posting)
class PostingAdmin(KeptAdmin):
    """The roster. A posting is ended by a date, never deleted."""

    form = PostingForm
    list_display = ["user", "role", "area", "department", "valid_from", "valid_to"]
    list_filter = ["role"]
    search_fields = ["user__username", "user__display_name", "area__name"]
    list_select_related = ["user", "area", "department"]
    autocomplete_fields = ["user", "area", "department"]
    show_full_result_count = False
    list_per_page = 50

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # The administrators' own posts are begun and ended at the server.
        may = super().has_change_permission(request, obj)
        return may and (obj is None or obj.role not in KEEPERS)

    def get_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        form = super().get_form(request, *args, **kwargs)
        form.actor = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Posting, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        sessions.end_without_post(users=[obj.user_id], actor=request.user)


@admin.register(NegativeItem)
class NegativeItemAdmin(KeptAdmin):
    """The county's negative list for people in post; what is no longer used is set inactive."""

    list_display = ["code", "name", "rank", "active"]
    search_fields = ["code", "name", "name_en"]
