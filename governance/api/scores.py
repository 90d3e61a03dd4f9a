"""Scores for other programs: the same tables, rights and formulas as the page.

What must not live here: what a score is (incidents/scoring.py) and which table holds what
(governance/scores.py).
"""

from typing import Any

from django.http import Http404
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api import DAY
from core.errors import Invalid
from governance import scores as tables
from grids.access import HasRole
from grids.models import Role
from incidents import scoring
from incidents.models import ScoreFormula
from incidents.queries import score_readers
from incidents.queries.scores import Period


class MeasureShape(serializers.Serializer):
    """One number: ``value`` is a share 0–1, minutes or a count; null is no data, never zero."""

    key = serializers.CharField(help_text="Name of the measure, e.g. on_time.")
    unit = serializers.ChoiceField(choices=["share", "minutes", "count"])
    value = serializers.FloatField(allow_null=True)
    whole = serializers.IntegerField(help_text="The denominator: how many cases.")
    parts = serializers.DictField(child=serializers.IntegerField(), help_text="The numerators.")


class RowShape(serializers.Serializer):
    """One line of a table."""

    kind = serializers.ChoiceField(choices=["area", "department", "person"])
    id = serializers.IntegerField()
    name = serializers.CharField()
    measures = MeasureShape(many=True)
    score = serializers.FloatField(allow_null=True, help_text="0–100; null is no data.")


class TableShape(serializers.Serializer):
    """One table; ``total`` is the line of the whole, if there is one."""

    title = serializers.CharField()
    total = RowShape(allow_null=True)
    rows = RowShape(many=True)


class ScoresShape(serializers.Serializer):
    """What a period came to. ``last`` before ``first``: no day of it is over yet."""

    first = serializers.DateField()
    last = serializers.DateField()
    formula = serializers.CharField(help_text="Version of the formula that was in force.")
    tables = TableShape(many=True)


class ScoresView(APIView):
    """Scores of areas, departments and people whom one's postings open."""

    permission_classes = (HasRole,)
    roles = score_readers.AREA_READERS | {Role.DEPARTMENT_HANDLER}
    serializer_class = ScoresShape

    @extend_schema(
        parameters=[
            OpenApiParameter("tab", enum=list(tables.TABS)),
            OpenApiParameter("area", int, description="Shows the areas right below this one."),
            OpenApiParameter("department", int, description="With tab=people: its handlers."),
            OpenApiParameter("period", str, description="2026-11, 2026Q4 or 2026."),
            OpenApiParameter("first", DAY),
            OpenApiParameter("last", DAY),
        ],
        responses=ScoresShape,
    )
    def get(self, request: Request) -> Response:
        """Return the tables of a tab for a period; days that are not over yet do not count."""
        scope = request._request.scope
        given = request.query_params.dict()
        unknown = set(given) - {"tab", "area", "department", "period", "first", "last", "format"}
        if unknown:
            errors = {name: [_("There is no such filter.")] for name in unknown}
            raise Invalid(_("These filters cannot be used."), errors=errors)
        period = _period(given)
        asked = tables.asked(
            scope,
            period,
            tab=given.get("tab", ""),
            area=given.get("area", ""),
            department=given.get("department", ""),
        )
        if asked is None:
            raise Http404
        formula = ScoreFormula.in_force(period.last)
        found = tables.tables(asked, scope=scope, formula=formula)
        answer = {
            "first": period.first,
            "last": period.last,
            "formula": formula.version,
            "tables": [
                {
                    "title": table.title,
                    "total": _row(table.total) if table.total else None,
                    "rows": [_row(row) for row in table.rows],
                }
                for table in found
            ],
        }
        return Response(answer)


def _period(given: dict[str, str]) -> Period:
    today = timezone.localdate()
    if given.get("first") or given.get("last"):
        days = {name: _day(given.get(name, ""), name) for name in ("first", "last")}
        if days["first"] > days["last"]:
            raise Invalid(_("The first day must not be after the last."), field="first")
        return tables.clipped(days["first"], days["last"], today=today)
    code = given.get("period") or next(iter(tables.codes_around(today).values()))
    period = tables.period_of(code, today=today)
    if period is None:
        raise Invalid(_("There is no such period."), field="period")
    return period


def _day(text: str, field: str) -> Any:
    try:
        day = parse_date(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2999:
        raise Invalid(_("Give both days, as 2026-11-01."), field=field)
    return day


def _row(row: tables.Row) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "id": row.pk,
        "name": row.name,
        "measures": [_measure(value) for value in row.values.values()],
        "score": _rounded(row.score.total, 2) if row.score else None,
    }


def _measure(value: scoring.Value) -> dict[str, Any]:
    return {
        "key": value.measure.key,
        "unit": value.measure.unit,
        "value": _rounded(value.value, 6),
        "whole": value.whole,
        "parts": {part.key: n for part, n in value.parts},
    }


def _rounded(value: float | None, places: int) -> float | None:
    return None if value is None else round(value, places)
