"""Acts that reorder the territory: their list, drafting, dry run, decision and record.

What lives here: putting reads together and calling one service. What must not: what a step means
(services/reorganisation_plan.py).
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.gzip import gzip_page
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.errors import Conflict, Invalid
from core.form_errors import put_errors
from grids import moves
from grids.access import roles
from grids.forms.reorganisation import ActForm, NoteForm, StepForms, step_initial
from grids.models import Level, Reorganisation, shapes_of
from grids.models.reorganisation import ActState
from grids.queries import reorganisation as read
from grids.queries import tree_map
from grids.queries.reach import TERRITORY_ROLES, Reach
from grids.queries.reorganisation_map import features_of_act
from grids.services import reorganisation as acts
from grids.services.reorganisation_plan import Node, Plan, make_plan
from grids.views.territory import as_geojson

DONE = {
    "submit": gettext_lazy("Submitted; somebody else decides now."),
    "approve": gettext_lazy("Approved; it is carried out by itself from its day on."),
    "send_back": gettext_lazy("Sent back to its drafter."),
    "withdraw": gettext_lazy("Withdrawn."),
    "try_again": gettext_lazy("It is tried again."),
}


@roles(*TERRITORY_ROLES)
@never_cache
@require_safe
def reorganise(request: HttpRequest) -> HttpResponse:
    """Show the acts that touch the reader's part of the territory."""
    page = read.acts_page(_reach(request), cursor=request.GET.get("cursor"))
    context = {"tab": "reorganise", "acts": page.items}
    for name in ("next", "previous"):
        cursor = getattr(page, name)
        context[f"{name}_url"] = f"?{urlencode({'cursor': cursor})}" if cursor else ""
    return render(request, "grids/acts.html", context)


@roles(*TERRITORY_ROLES)
@never_cache
@require_safe
def reorganise_areas(request: HttpRequest) -> HttpResponse:
    """The towns and villages a text may mean, as options of a list."""
    text = request.GET.get(request.GET.get("field", ""), "")
    found = read.find_areas(_reach(request), text)
    return render(request, "grids/_act_areas.html", {"areas": found})


@roles(*TERRITORY_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reorganise_new(request: HttpRequest) -> HttpResponse:
    """Draft an act; bad input comes back whole."""
    if request.method != "POST":
        form = ActForm(initial={"effective_on": timezone.localdate()})
        return _drafting(request, form, _steps(request))
    return _save_draft(request, None)


@roles(*TERRITORY_ROLES)
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def reorganise_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Correct a draft."""
    act = _act(request, pk)
    if act.state != ActState.DRAFT:
        raise Conflict(_("Only a draft can be corrected."))
    if request.method == "POST":
        return _save_draft(request, act)
    steps = [step_initial(step) for step in act.steps.select_related("subject", "target")]
    return _drafting(request, ActForm(instance=act), _steps(request, initial=steps), act)


def _save_draft(request: HttpRequest, act: Reorganisation | None) -> HttpResponse:
    form = ActForm(request.POST)
    if "more" in request.POST:
        return _drafting(request, form, _steps(request, more=True), act)
    steps = _steps(request)
    try:
        if not form.is_valid() or not steps.is_valid():
            raise Invalid
        given = [step.step() for step in steps if not step.cleaned_data.get("DELETE")]
        fields = {**form.cleaned_data, "steps": given, "actor": request.user}
        if act is None:
            act = acts.draft(**fields)
        else:
            seen = int(request.POST.get("seen") or 0)
            acts.revise(act_id=act.pk, seen=seen, **fields)
    except Invalid as error:
        put_errors(form, error)
        return _drafting(request, form, steps, act, status=422)
    return redirect("reorganisation", pk=act.pk)


def _steps(request: HttpRequest, *, initial: Any = None, more: bool = False) -> Any:
    given = {"reach": _reach(request)}
    if request.method != "POST":
        return StepForms(initial=initial, prefix="s", form_kwargs=given)
    data = request.POST.copy()
    if more:
        total = int(data.get("s-TOTAL_FORMS") or 1)
        data["s-TOTAL_FORMS"] = str(min(total + 1, acts.MOST_STEPS))
    return StepForms(data, prefix="s", form_kwargs=given)


def _drafting(
    request: HttpRequest, form: ActForm, steps: Any, act: Any = None, *, status: int = 200
) -> HttpResponse:
    context = {"tab": "reorganise", "form": form, "steps": steps, "act": act}
    context["silent"] = "more" in request.POST
    return render(request, "grids/act_form.html", context, status=status)


@roles(*TERRITORY_ROLES)
@never_cache
@require_safe
def reorganisation(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an act: its dry run while it may still be carried out, afterwards its record."""
    return _page(request, _act(request, pk))


def _page(
    request: HttpRequest, act: Reorganisation, form: NoteForm | None = None, *, status: int = 200
) -> HttpResponse:
    context: dict[str, Any] = {
        "tab": "reorganise",
        "act": act,
        "steps": act.steps.select_related("subject", "target").defer(
            *shapes_of("subject", "target")
        ),
        "form": form or NoteForm(initial={"seen": act.version}),
        "actions": _actions(request, act),
        "progress": _progress(act),
    }
    if act.is_pending:
        plan = make_plan(act)
        context |= {
            "plan": plan,
            "sides": _sides(plan),
            "tallies": _tallies(act, plan),
            "bounds": tree_map.bounds_of(act.county),
        }
    elif act.state == ActState.CARRIED_OUT:
        followed = act.outcome.get("followed", {})
        changes = act.outcome.get("changes", [])
        context["changes"] = [row for row in changes if row["level"] != Level.GRID]
        context["grid_changes"] = [row for row in changes if row["level"] == Level.GRID]
        context["followed"] = [
            (label, followed.get(key, 0)) for key, label in moves.labels().items()
        ]
    return render(request, "grids/act.html", context, status=status)


def _progress(act: Reorganisation) -> dict[str, Any] | None:
    """Return how far the sweep is with an act: {"waiting", "total", "done"} of past cases.

    Empty while it is to be carried out, None when there is nothing to wait for (≤ 2 queries).
    """
    if act.is_due:
        return {}
    if act.state != ActState.CARRIED_OUT or not act.trailing.exists():
        return None
    waiting = moves.waiting()
    total = max(waiting, act.outcome.get("followed", {}).get("incidents:past", 0))
    return {"waiting": waiting, "total": total, "done": total - waiting}


@roles(*TERRITORY_ROLES)
@never_cache
@require_safe
def reorganisation_progress(request: HttpRequest, pk: int) -> HttpResponse:
    """The piece that says how far the sweep is; the whole page anew once that has changed."""
    act = _act(request, pk)
    progress = _progress(act)
    seen = request.GET.get("seen", "")
    if progress is None or seen != str(act.version):
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "grids/_act_progress.html", {"act": act, "progress": progress})


@roles(*TERRITORY_ROLES)
@never_cache
@gzip_page
@require_safe
def reorganisation_map(request: HttpRequest, pk: int) -> HttpResponse:
    """GeoJSON of the towns and villages an act changes, before and after; none once it is over."""
    act = _act(request, pk)
    if not act.is_pending:
        raise Http404
    plan = make_plan(act)
    changed = {n.pk: n.name for n in plan.changed if n.level in {Level.TOWN, Level.VILLAGE}}
    shapes = [(shape.area, shape.land, shape.gains) for shape in plan.shapes]
    return as_geojson(features_of_act(changed, shapes, plan.merges))


def _actions(request: HttpRequest, act: Reorganisation) -> set[str]:
    """Return the steps the reader is offered; the service asks again."""
    user, reach = request.user, _reach(request)
    decides = reach.covers(act.county)
    mine = decides or all(reach.covers(town) for town in act.towns.all())
    found = set()
    if act.state == ActState.DRAFT and mine:
        found |= {"edit", "submit"}
    if act.state == ActState.SUBMITTED and decides and user.pk != act.drafted_by_id:
        found |= {"approve", "send_back"}
    if act.obstacle and act.is_pending and decides:
        found.add("try_again")
    if act.is_pending and (decides or user.pk == act.drafted_by_id):
        found.add("withdraw")
    return found


@roles(*TERRITORY_ROLES)
@never_cache
@require_POST
def reorganisation_do(request: HttpRequest, pk: int, action: str) -> HttpResponse:
    """Take one step with an act; a refusal is told on its page, with what was typed."""
    act = _act(request, pk)
    if action not in DONE:
        raise Http404
    form = NoteForm(request.POST)
    try:
        if not form.is_valid():
            raise Invalid
        given = {"act_id": act.pk, "actor": request.user, "seen": form.cleaned_data["seen"]}
        note = form.cleaned_data["note"]
        if action == "submit":
            acts.submit(**given)
        elif action == "withdraw":
            acts.withdraw(**given, note=note)
        elif action == "try_again":
            acts.try_again(**given)
        else:
            acts.decide(**given, approve=action == "approve", note=note)
    except (Invalid, Conflict) as error:
        act.refresh_from_db()
        form = NoteForm({**request.POST.dict(), "seen": act.version})
        put_errors(form, error)
        return _page(request, act, form, status=error.status if error.status == 409 else 422)
    messages.success(request, str(DONE[action]))
    return redirect("reorganisation", pk=act.pk)


@roles(*TERRITORY_ROLES)
@never_cache
@require_safe
def reorganisation_rows(request: HttpRequest, pk: int, key: str) -> HttpResponse:
    """List what would follow an act, as far as the reader may see it."""
    act = _act(request, pk)
    if not act.is_pending:
        raise Http404
    rows = moves.rows(key, make_plan(act).touched, user=request.user)
    if rows is None:
        raise Http404
    return render(request, "grids/_act_rows.html", {"rows": rows, "limit": moves.ROWS_SHOWN})


def _reach(request: HttpRequest) -> Reach:
    return Reach.of(request.scope)  # type: ignore[attr-defined]


def _act(request: HttpRequest, pk: int) -> Reorganisation:
    """Return an act that touches what the reader keeps, else 404."""
    acts_seen = read.acts_within(_reach(request))
    act = acts_seen.select_related("county", "drafted_by", "decided_by").filter(pk=pk).first()
    if act is None:
        raise Http404
    return act


def _tallies(act: Reorganisation, plan: Plan) -> list[dict[str, Any]]:
    """Return what would move, each with how many and where to open the list."""
    changed = plan.changed
    of = {level: [node for node in changed if node.level == level] for level in Level}
    own = [
        (_("Towns and villages"), len(of[Level.TOWN]) + len(of[Level.VILLAGE])),
        (_("Grids"), len(of[Level.GRID])),
        (_("Ten-household units"), len(of[Level.UNIT])),
        (_("New codes"), len(plan.recoded)),
    ]
    found = [{"label": label, "n": n, "url": ""} for label, n in own]
    for tally in moves.counts(plan.touched) if plan.touched else []:
        open_list = tally.n and moves.has_rows(tally.key)
        url = reverse("reorganisation_rows", args=[act.pk, tally.key]) if open_list else ""
        found.append({"label": tally.label, "n": tally.n, "url": url})
    return found


def _sides(plan: Plan) -> list[list[dict[str, Any]]]:
    """Return the towns the act touches, before and after, each with its changed branches."""
    before: dict[int | None, list[Node]] = {}
    after: dict[int | None, list[Node]] = {}
    for node in plan.nodes.values():
        before.setdefault(node.was_parent, []).append(node)
        if node.into is None:
            after.setdefault(node.parent, []).append(node)
    touched = {node.pk for node in plan.changed}
    return [_branches(plan, tree, touched, new=new) for tree, new in ((before, 0), (after, 1))]


def _branches(
    plan: Plan, tree: dict[int | None, list[Node]], touched: set[int], *, new: int
) -> list[dict[str, Any]]:
    def rows(nodes: Iterable[Node], depth: int) -> list[dict[str, Any]]:
        found = []
        for node in sorted(nodes, key=lambda node: node.code if new else node.was_code):
            below = rows(tree.get(node.pk, ()), depth + 1) if depth < 2 else []
            if node.pk in touched or below:
                found.append({**_said(node, new=bool(new)), "below": below})
        return found

    towns = [node for node in plan.nodes.values() if node.level == Level.TOWN]
    kept = [town for town in towns if not new or town.into is None]
    return rows(kept, 0)


def _said(node: Node, *, new: bool) -> dict[str, Any]:
    marks = []
    if not new and node.into is not None:
        marks.append(("over", _("goes up in another")))
    elif node.moved:
        marks.append(("warn", _("moves in") if new else _("moves away")))
    if node.recoded and new:
        marks.append(("calm", _("new code")))
    if node.renamed and new:
        marks.append(("calm", _("new name")))
    return {
        "name": node.name if new else node.was_name,
        "code": node.code if new else node.was_code,
        "level": node.level,
        "marks": marks,
    }
