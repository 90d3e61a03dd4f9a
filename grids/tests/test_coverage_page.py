"""The page of the coverage audit: progress, faults, map, exports, and the border of a town."""

import csv
import json
from io import StringIO

import pytest
from django.contrib.gis.geos import MultiPolygon, Polygon
from django.urls import reverse

from grids.factories import CORNER, SIDE, person
from grids.models import Area, CoverageAudit, CoverageFault, Role
from grids.services import coverage
from grids.views.coverage import ground

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(county, client):
    """Sign in the admin of the first town."""
    user = person(Role.TOWN_ADMIN, county.towns[0])
    client.force_login(user)
    return user


def cut(grid: Area, share: float) -> None:
    """Take the eastern part away from a grid: a hole."""
    west, south, east, north = Area.objects.get(pk=grid.pk).boundary.extent
    box = Polygon.from_bbox((west, south, east - (east - west) * share, north))
    Area.objects.filter(pk=grid.pk).update(boundary=MultiPolygon(box))


def check(area: Area) -> None:
    coverage.start(area=area, actor=None)
    while coverage.work(at_most=9):
        pass


def page(client, area: Area | None = None, **more):
    return client.get(reverse("coverage"), {"area": area.pk, **more} if area else more)


def test_before_the_first_check_the_page_says_so(client, admin):
    response = page(client)
    assert "尚未检查" in response.content.decode()


def test_a_town_without_fault_is_proved_with_its_date(client, admin, county):
    check(county.towns[0])
    text = page(client).content.decode()
    assert "无空白、无重叠" in text
    assert "验证时间" in text


def test_a_hole_is_listed_with_its_size_its_grids_and_the_way_to_the_editor(client, admin, county):
    cut(county.grids[0], 0.5)
    check(county.towns[0])
    text = page(client).content.decode()
    assert "空白" in text
    assert "亩）" in text
    assert "第1网格、第2网格" in text
    fault = CoverageFault.objects.get()
    assert f"/territory/{county.grids[0].pk}/draw/?fault={fault.pk}" in text
    assert 'class="g-stat g-over"' in text


@pytest.mark.parametrize("below", [True, False])
def test_the_editor_opens_with_the_hole_in_view(client, admin, county, below):
    grids = county.grids[:2]
    if below:
        cut(grids[0], 0.5)
    else:  # nothing beside it could be made larger: a new grid is added there
        Area.objects.filter(pk__in=[grid.pk for grid in grids]).update(boundary=None)
    check(county.villages[0])
    (row,) = [one for one in page(client, county.villages[0]).context["faults"] if one.size_m2]
    act, area = ("draw", grids[0]) if below else ("add", county.villages[0])
    assert row.editor == f"/territory/{area.pk}/{act}/?fault={row.pk}"
    (piece,) = client.get(row.editor).context["pieces"]
    assert piece["role"] == "fault"
    assert json.loads(piece["shape"])["type"] == "MultiPolygon"
    elsewhere = client.get(f"/territory/{county.grids[2].pk}/draw/", {"fault": row.pk})
    assert elsewhere.context["pieces"] == []


def test_a_hole_between_towns_leads_to_the_page_of_a_town(client, county):
    client.force_login(person(Role.COMMAND, county.county))
    for area in (county.towns[0], *county.villages[:2], *county.grids[:4]):
        whole = Area.objects.get(pk=area.pk).boundary
        west, south, east, north = Area.objects.get(pk=county.towns[0].pk).boundary.extent
        strip = Polygon.from_bbox((west, south, east, south + (north - south) / 10))
        left = whole.difference(strip)
        left = left if left.geom_type == "MultiPolygon" else MultiPolygon(left)
        Area.objects.filter(pk=area.pk).update(boundary=left)
        if area == county.towns[0]:
            break
    check(county.county)
    rows = [one for one in page(client, county.county).context["faults"] if one.kind == "gap"]
    assert rows[0].editor == f"/territory/?area={county.towns[0].pk}"


def test_the_page_of_a_town_takes_few_queries(client, admin, county, django_assert_max_num_queries):
    cut(county.grids[0], 0.5)
    check(county.towns[0])
    page(client)
    with django_assert_max_num_queries(13):
        page(client)


def test_a_check_is_started_shown_as_it_runs_and_ends_with_a_new_page(client, admin, county):
    where = {"area": county.towns[0].pk}
    response = client.post(reverse("coverage_start"), {**where, "sliver": "50"})
    assert response.status_code == 302
    assert CoverageAudit.objects.get().sliver_m2 == 50
    assert "等待检查" in page(client).content.decode()
    running = client.get(reverse("coverage_progress"), where)
    assert "<progress" in running.content.decode()
    coverage.work(at_most=9)
    ended = client.get(reverse("coverage_progress"), where)
    assert ended.headers["HX-Redirect"] == f"/territory/coverage/?area={county.towns[0].pk}"


def test_who_presses_second_is_told_that_a_check_runs(client, admin, county):
    coverage.start(area=county.towns[0], actor=None)
    form = {"area": county.towns[0].pk, "sliver": "50"}
    response = client.post(reverse("coverage_start"), form, follow=True)
    assert "该区域的检查正在进行中" in response.content.decode()
    assert CoverageAudit.objects.count() == 1


def test_a_senseless_size_is_told_beside_its_field_and_stays_typed(client, admin, county):
    form = {"area": county.towns[0].pk, "sliver": "-3"}
    response = client.post(reverse("coverage_start"), form)
    assert response.status_code == 422
    assert 'value="-3"' in response.content.decode()
    assert not CoverageAudit.objects.exists()


def test_the_map_gets_the_shapes_and_the_words_of_each_fault(client, admin, county):
    cut(county.grids[0], 0.5)
    check(county.towns[0])
    found = client.get(reverse("coverage_map")).json()
    [feature] = found["features"]
    assert feature["geometry"]["type"] == "MultiPolygon"
    assert feature["properties"]["label"] == "空白"
    editor = f"/territory/{county.grids[0].pk}/draw/?fault={feature['id']}"
    assert feature["properties"]["url"] == editor
    assert found["area"]["type"] == "MultiPolygon"


def test_faults_can_be_narrowed_to_a_kind_and_to_slivers(client, admin, county):
    cut(county.grids[0], 0.5)
    cut(county.grids[2], 0.00001)
    check(county.towns[0])
    assert client.get(reverse("coverage_map"), {"size": "slivers"}).json()["features"][0][
        "properties"
    ]["sliver"]
    assert client.get(reverse("coverage_map"), {"kind": "overlap"}).json()["features"] == []
    assert client.get(reverse("coverage"), {"kind": "nonsense"}).status_code == 400


def test_the_list_is_sent_as_a_sheet_without_formulas(client, admin, county):
    Area.objects.filter(pk=county.villages[0].pk).update(name="=HYPERLINK(1)")
    cut(county.grids[0], 0.5)
    check(county.towns[0])
    text = client.get(reverse("coverage_export")).getvalue().decode("utf-8-sig")
    head, line = csv.reader(StringIO(text))
    assert head[0] == "类型"
    assert line[5] == "'=HYPERLINK(1)"
    assert float(line[2]) == pytest.approx(0.5 * 927 * 1109, rel=0.01)
    assert CORNER[0] < float(line[8]) < CORNER[0] + SIDE


def test_the_list_is_sent_as_geojson(client, admin, county):
    cut(county.grids[0], 0.5)
    check(county.towns[0])
    content = client.get(reverse("coverage_export"), {"format": "geojson"}).getvalue()
    [feature] = json.loads(content)["features"]
    assert feature["properties"]["kind"] == "gap"
    assert feature["geometry"]["type"] == "MultiPolygon"


ROUTES = ["coverage", "coverage_progress", "coverage_map", "coverage_export"]


@pytest.mark.parametrize("name", ROUTES)
def test_beyond_the_border_of_the_town_nothing_is_there(client, admin, county, name):
    check(county.county)
    for beyond in (county.county, county.towns[1], county.villages[2]):
        assert client.get(reverse(name), {"area": beyond.pk}).status_code == 404
    for nonsense in ("999999999", "x", "１", "-1", "1" * 30):
        assert client.get(reverse(name), {"area": nonsense}).status_code == 404


def test_no_check_is_started_beyond_the_border(client, admin, county):
    form = {"area": county.towns[1].pk, "sliver": "1"}
    assert client.post(reverse("coverage_start"), form).status_code == 404
    assert not CoverageAudit.objects.exists()


def test_a_county_wide_check_shows_a_town_its_own_part_only(client, admin, county):
    cut(county.grids[0], 0.5)
    cut(county.grids[7], 0.5)
    check(county.county)
    [feature] = client.get(reverse("coverage_map")).json()["features"]
    editor = f"/territory/{county.grids[0].pk}/draw/?fault={feature['id']}"
    assert feature["properties"]["url"] == editor
    text = client.get(reverse("coverage_export")).getvalue().decode()
    assert county.villages[3].name not in text


@pytest.mark.parametrize(
    ("size", "words"),
    [(0.51, "0.51 平方米"), (99, "99.00 平方米（0.1 亩）"), (20_000, "20,000 平方米（30.0 亩）")],
)
def test_a_size_is_told_in_square_metres_and_in_mu(size, words):
    assert ground(size) == words
