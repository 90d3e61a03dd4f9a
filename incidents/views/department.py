"""The desk of a department's handlers: what was sent to it and what it was called in to."""

from django.http import HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from core.htmx import render
from grids.access import roles
from grids.models import Role
from incidents.queries import desks
from incidents.views import lists


@roles(Role.DEPARTMENT_HANDLER)
@never_cache
@require_safe
def department(request: HttpRequest) -> HttpResponse:
    """Show one tab of the department's desk, most urgent first."""
    scope = request.scope
    tab = lists.chosen(desks.DEPARTMENT_TABS, request)
    page = desks.department_page(scope, tab, cursor=request.GET.get("cursor"))
    counts = desks.department_counts(scope)
    context = lists.context(
        request, desks.DEPARTMENT_TABS, tab, page, counts, accepts=scope.departments
    )
    context |= {"departments": scope.departments, "overdue": counts["overdue"]}
    return render(request, "incidents/department.html", context, partial="incidents/_list.html")
