"""A run of the coverage audit outlives the death of its worker and the loss of Redis."""

import pytest

from grids.factories import small_county
from grids.models import Area, AuditState, CoverageAudit, GridKind, Level
from grids.queries.coverage import faults_in
from grids.services import coverage
from grids.services.territory import NewArea, add_areas

pytestmark = [pytest.mark.stack, pytest.mark.django_db(transaction=True)]
VILLAGES = 3000


def many_villages(town: Area) -> None:
    """Add villages of one unmeasured grid each, so that there are some batches to kill in."""
    rows = []
    for number in range(3, 3 + VILLAGES):
        code = f"{town.code[:6]}{100 + number // 900:03}"
        village = f"{code}{number % 900 + 1:03}"
        rows.append(NewArea(village, f"第{number}村", Level.VILLAGE, code))
        rows.append(NewArea(f"{village}001", "网格", Level.GRID, village, GridKind.RURAL))
    codes = {row.parent_code for row in rows if row.level == Level.VILLAGE}
    towns = [NewArea(code, f"{code}镇", Level.TOWN, code[:6]) for code in sorted(codes)]
    add_areas([*towns, *rows], source="test")


def test_a_killed_worker_and_a_flushed_redis_lose_no_fault_and_double_none(stack):
    county = small_county()
    many_villages(county.towns[0])
    run = coverage.start(area=county.county, actor=None)

    def now() -> CoverageAudit:
        return CoverageAudit.objects.get(pk=run.pk)

    stack.start("worker")
    stack.start("beat")
    stack.wait_for(lambda: now().done > 0)
    stack.kill9("worker")
    stack.flush_redis()
    stack.start("worker-2")
    stack.wait_for(lambda: now().state == AuditState.DONE)
    ended = now()
    assert (ended.done, ended.failures) == (ended.total, 0)
    places = list(faults_in(county.county).filter(kind="missing").values_list("place", flat=True))
    # Neither the villages, nor their grids, nor the new towns have a boundary.
    bare = Area.objects.filter(boundary=None).exclude(level=Level.UNIT)
    assert sorted(places) == sorted(bare.values_list("pk", flat=True))
