"""The versions of the triage model: how good each is, which is in force, and the way back.

What must not live here: training (a command and a schedule) and the AI's deeds on cases.
"""

from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.errors import GeshiError
from core.htmx import render
from core.web import page_urls
from grids.access import roles
from incidents.desks import RULE_KEEPERS
from incidents.models import TriageModel
from incidents.queries import triage_models as read
from incidents.queries.listing import catalogue_names
from incidents.services.knowledge import activate_model


@roles(*RULE_KEEPERS)
@never_cache
@require_safe
def triage_models(request: HttpRequest) -> HttpResponse:
    """List the versions, newest first, with their figures (≤ 7 queries)."""
    page = read.versions(cursor=request.GET.get("cursor"))
    context = {"rows": [_row(model) for model in page.items], **page_urls(request, page)}
    return render(request, "incidents/triage_models.html", context)


@roles(*RULE_KEEPERS)
@never_cache
@require_safe
def triage_model(request: HttpRequest, version: int) -> HttpResponse:
    """Show one version: figures by category, and how far its confidence can be believed."""
    model = _found(version)
    names = catalogue_names()["codes"]
    classes = [
        {"name": names.get(code, code), "code": code, **figures}
        for code, figures in model.report.get("per_class", {}).items()
    ]
    context = {
        "row": _row(model),
        "classes": sorted(classes, key=lambda one: (one["f1"], one["code"])),
        "reliability": [
            {name: one[name] if name == "count" else _percent(one[name]) for name in one}
            for one in model.report.get("reliability", [])
        ],
        "too_few": [names.get(code, code) for code in model.report.get("too_few", [])],
    }
    return render(request, "incidents/triage_model.html", context)


@roles(*RULE_KEEPERS)
@require_POST
def triage_model_activate(request: HttpRequest, version: int) -> HttpResponse:
    """Put a version in force, also an old one again."""
    try:
        activate_model(model=_found(version), actor=request.user)
        messages.success(request, _("Version %(version)s is in force.") % {"version": version})
    except GeshiError as error:
        messages.error(request, str(error))
    return redirect("triage_models")


def _found(version: int) -> TriageModel:
    model = read.version_of(version)
    if model is None:
        raise Http404
    return model


def _row(model: TriageModel) -> dict[str, Any]:
    """Return what a line says of a version; figures in percent, None where not measured."""
    report, comparison = model.report, model.comparison
    coverage = report.get("coverage", {}).get(f"{model.precision_asked:g}")
    return {
        "model": model,
        "texts": report.get("examples"),
        "accuracy": _percent(report.get("accuracy")),
        "macro_f1": report.get("macro_f1"),
        "calibration_error": _percent(report.get("calibration_error")),
        "asked": _percent(model.precision_asked),
        "threshold": _percent(model.threshold) if model.threshold <= 1 else None,
        "coverage": _percent(coverage),
        "comparison": comparison if comparison.get("texts") else None,
        "handled": _percent(comparison.get("candidate", {}).get("handled")),
        "handled_before": _percent(comparison.get("present", {}).get("handled")),
    }


def _percent(share: float | None) -> float | None:
    return None if share is None else round(100 * share, 1)
