"""Hot topics and early warnings of the areas somebody answers for, down to the cases.

What must not live here: what makes a topic or a surge, and changing either (services/topics.py).
"""

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from core.errors import Conflict, Invalid
from core.paging import keyset_page
from core.web import page_urls
from grids.access import roles
from grids.models import Level
from incidents import topics as grouping
from incidents.models import EarlyWarning, HotTopic
from incidents.queries import topics as read
from incidents.queries.listing import give_names
from incidents.queries.score_readers import AREA_READERS, areas_read
from incidents.services import topics as service
from incidents.views.case import acting
from incidents.views.rows import list_rows

READERS = tuple(sorted(AREA_READERS))
ORDER = ("-reported_at", "-id")
PAGE_SIZE = 50
_WIDE, _HIGH, _BAR = 126, 32, 9


@roles(*READERS)
@never_cache
@require_safe
def topics(request: HttpRequest) -> HttpResponse:
    """Show the warnings and the hottest topics of one's areas (4 queries)."""
    return _page(request)


def _page(
    request: HttpRequest, *, failed: int = 0, typed: str = "", said: str = "", status: int = 200
) -> HttpResponse:
    areas = areas_read(request.scope)
    level = request.GET.get("level", "")
    level = level if level in {Level.TOWN, Level.VILLAGE} else ""
    found = read.hot_topics(areas, level=level)
    samples = read.samples(found, user=request.user, scope=request.scope)
    hottest = max((row.heat for row in found), default=0)
    context = {
        "rows": [_topic(row, hottest, samples) for row in found],
        "warnings": [_warning(request, row) for row in read.warnings(areas)],
        "level": level,
        "levels": [("", _("All")), (Level.TOWN, _("By town")), (Level.VILLAGE, _("By village"))],
        "failed": failed,
        "typed": typed,
        "said": said,
        "days": grouping.DAYS,
    }
    return render(request, "incidents/topics.html", context, status=status)


def _topic(row: HotTopic, hottest: float, samples: dict[int, Any]) -> dict[str, Any]:
    return {
        "row": row,
        "area": _place(row),
        "share": round(100 * row.heat / hottest) if hottest else 0,
        "total": sum(row.days),
        "bars": _bars(row.days),
        "wide": _WIDE,
        "high": _HIGH,
        "samples": [samples[pk] for pk in row.sample if pk in samples],
    }


def _place(row: HotTopic | EarlyWarning) -> str:
    return f"{row.town} · {row.village}" if row.village_id else str(row.town)


def _bars(days: Sequence[int]) -> list[dict[str, int]]:
    """Return one bar a day: x, y, height in the units of the picture, and the count."""
    most = max(days, default=0) or 1
    high = [round(n / most * (_HIGH - 2)) for n in days]
    return [
        {"x": place * _BAR, "y": _HIGH - max(h, 1), "high": max(h, 1), "wide": _BAR - 2, "n": n}
        for place, (n, h) in enumerate(zip(days, high, strict=True))
    ]


def _warning(request: HttpRequest, row: EarlyWarning) -> dict[str, Any]:
    return {
        "row": row,
        "area": _place(row),
        "usual": f"{row.expected:.1f}",
        "mine": row.acknowledged_at is None and service.may_answer(acting(request), row),
    }


@roles(*READERS)
@never_cache
@require_safe
def topic(request: HttpRequest, pk: int) -> HttpResponse:
    """List the cases of one topic that the reader may open, newest first (≤ 5 queries)."""
    found = read.topic(pk, areas_read(request.scope))
    if found is None:
        raise Http404
    rows = read.cases_of(found, user=request.user, scope=request.scope)
    page = keyset_page(rows, order=ORDER, cursor=request.GET.get("cursor"), size=PAGE_SIZE)
    give_names(page.items)
    context = {
        "topic": found,
        "area": _place(found),
        "rows": list_rows(page.items),
        **page_urls(request, page),
    }
    return render(request, "incidents/topic.html", context)


@roles(*READERS)
@require_POST
def warning_answer(request: HttpRequest, pk: int) -> HttpResponse:
    """Take the word on what is being done; what was typed is kept when it is not taken."""
    found = read.warning(pk, areas_read(request.scope))
    if found is None:
        raise Http404
    word = request.POST.get("word", "")
    try:
        service.acknowledge(warning_id=pk, actor=acting(request), word=word)
    except Conflict as error:
        messages.warning(request, str(error))
    except Invalid as error:
        said = str(error.errors["word"][0])
        return _page(request, failed=pk, typed=word, said=said, status=error.status)
    else:
        messages.success(request, _("Your answer is on record."))
    return redirect("topics")
