"""Boundary files of three formats: matched, previewed, saved whole; hostile ones refused."""

import io
import json
import zipfile
from datetime import timedelta

import prcoords
import pytest
import shapefile
import shapely
from django.contrib.gis.geos import MultiPolygon, Polygon
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection
from django.urls import reverse
from django.utils import timezone

from core.errors import BadUpload, Conflict, Invalid, NotAllowed
from core.models import AuditEntry
from grids.factories import person
from grids.models import Area, AreaCode, BoundaryImport, ImportState, Role, Verdict
from grids.queries.boundaries import exported_areas
from grids.services import boundary_import
from grids.services.boundary_export import as_geojson_lines, as_kml_lines, as_shapefile
from grids.services.boundary_file import read_features
from grids.services.boundary_formats import as_geojson

pytestmark = pytest.mark.django_db
BOX = [[115.201, 33.601], [115.205, 33.601], [115.205, 33.605], [115.201, 33.601]]


@pytest.fixture
def admin(county, client):
    """Sign in the admin of the first town."""
    user = person(Role.TOWN_ADMIN, county.towns[0])
    client.force_login(user)
    return user


def feature(ring=BOX, **properties) -> dict:
    geometry = {"type": "Polygon", "coordinates": [ring]}
    return {"type": "Feature", "properties": properties, "geometry": geometry}


def collection(*features: dict) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def taken(area: Area, actor, data: bytes, system: str = "wgs84") -> BoundaryImport:
    """Upload a file and let the worker read it."""
    one = boundary_import.take_in(
        file=io.BytesIO(data), filename="grids.json", system=system, area=area, actor=actor
    )
    while boundary_import.work():
        pass
    one.refresh_from_db()
    return one


def read(area: Area, actor, *features: dict, **more) -> BoundaryImport:
    one = taken(area, actor, collection(*features), **more)
    assert one.state == ImportState.READ, one.error
    return one


def verdicts(one: BoundaryImport) -> list[str]:
    return list(one.rows.order_by("number").values_list("verdict", flat=True))


# Matching


def test_features_are_found_by_code_before_name(county, admin):
    grid = county.grids[0]
    one = read(county.towns[0], admin, feature(code=grid.code, name="不相干"))
    row = one.rows.get()
    assert (row.verdict, row.area_id, row.chosen) == (Verdict.CODE, grid.pk, True)


@pytest.mark.parametrize("name", ["XZQDM", "区划代码", "Code", " code "])
def test_codes_stand_under_many_names(county, admin, name):
    one = read(county.towns[0], admin, feature(**{name: county.grids[0].code}))
    assert verdicts(one) == [Verdict.CODE]


def test_a_code_the_area_had_before_still_finds_it(county, admin):
    grid = county.grids[0]
    AreaCode.objects.filter(area=grid).update(valid=("2026-01-01", None))
    AreaCode.objects.create(area=grid, code="419900000000001", valid=("2020-01-01", "2026-01-01"))
    one = read(county.towns[0], admin, feature(code="419900000000001"))
    assert one.rows.get().area_id == grid.pk


def test_a_name_alone_counts_when_it_is_the_only_one_of_the_area(county, admin):
    village = county.villages[0]
    one = read(county.towns[0], admin, feature(name=village.name), feature(name="第1网格"))
    assert verdicts(one) == [Verdict.NAME, Verdict.AMBIGUOUS]
    assert one.rows.get(number=1).area_id == village.pk
    assert "有 2 个区域同名" in one.rows.get(number=2).reason


@pytest.mark.parametrize("parent", ["code", "name"])
def test_a_repeated_name_is_found_within_the_parent_the_file_names(county, admin, parent):
    village = county.villages[1]
    row = feature(name="第1网格", parent=getattr(village, parent))
    one = read(county.towns[0], admin, row)
    assert (verdicts(one), one.rows.get().area_id) == ([Verdict.NAME], county.grids[2].pk)


def test_two_features_of_one_area_are_ambiguous_both(county, admin):
    code = county.grids[0].code
    one = read(county.towns[0], admin, feature(code=code), feature(code=code))
    assert verdicts(one) == [Verdict.AMBIGUOUS] * 2
    assert not one.rows.filter(chosen=True).exists()


def test_what_is_unsound_is_told_with_its_place_and_never_chosen(county, admin):
    bow = [[115.2, 33.6], [115.21, 33.61], [115.21, 33.6], [115.2, 33.61], [115.2, 33.6]]
    swapped = [[y, x] for x, y in BOX]
    code = county.grids[0].code
    one = read(county.towns[0], admin, feature(bow, code=code), feature(swapped, code=code))
    first, second = one.rows.order_by("number")
    assert (first.verdict, first.chosen) == (Verdict.INVALID, False)
    assert (first.lon, first.lat) == (pytest.approx(115.205), pytest.approx(33.605))
    assert "写反" in second.reason


def test_beyond_the_town_a_code_is_as_unknown_as_one_that_never_was(county, admin):
    beyond = feature(code=county.grids[7].code, name="x")
    one = read(county.towns[0], admin, beyond, feature(code="419901009009009"))
    assert verdicts(one) == [Verdict.UNKNOWN] * 2
    assert len(set(one.rows.values_list("reason", flat=True))) == 1
    assert not one.rows.filter(area__isnull=False).exists()


def test_a_file_in_the_other_coordinate_system_is_doubted(county, admin):
    rows = []
    for grid in county.grids[:4]:
        ring = Area.objects.get(pk=grid.pk).boundary[0][0].coords
        turned = [prcoords.wgs_gcj((lat, lon)) for lon, lat in ring]
        rows.append(feature([[p.lon, p.lat] for p in turned], code=grid.code))
    one = read(county.towns[0], admin, *rows)
    assert "GCJ-02" in one.warning
    right = read(county.towns[0], admin, *rows, system="gcj02")
    assert right.warning == ""
    whole = [feature([list(p) for p in Area.objects.get(pk=county.grids[0].pk).boundary[0][0]],
                     code=county.grids[0].code)]  # fmt: skip
    assert "WGS-84" in read(county.towns[0], admin, *whole, system="gcj02").warning


# Saving


def test_nothing_is_saved_before_it_is_confirmed_and_then_all(county, admin):
    before = Area.objects.get(pk=county.grids[0].pk).boundary
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    assert Area.objects.get(pk=county.grids[0].pk).boundary == before
    boundary_import.confirm(one=one, actor=admin)
    assert boundary_import.work()
    one.refresh_from_db()
    assert (one.state, one.changed) == (ImportState.SAVED, 1)
    assert Area.objects.get(pk=county.grids[0].pk).boundary.num_points == 4
    entry = AuditEntry.objects.get(action="boundaries_set", actor=admin)
    assert entry.data["source"] == "grids.json"


def test_file_and_rows_are_gone_when_they_are_no_longer_needed(
    county, admin, settings, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    assert one.file.name == ""
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []
    boundary_import.confirm(one=one, actor=admin)
    boundary_import.work()
    assert not one.rows.exists()


def test_an_import_nobody_confirms_is_forgotten_after_a_day(county, admin):
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    assert boundary_import.forget_old() == 0
    assert boundary_import.forget_old(now=timezone.now() + timedelta(hours=25)) == 1
    one.refresh_from_db()
    assert one.state == ImportState.DROPPED
    assert not one.rows.exists()


@pytest.mark.django_db(transaction=True)
def test_who_throws_a_file_away_while_it_is_read_is_told_at_once(county, admin):
    one = boundary_import.take_in(
        file=io.BytesIO(collection(feature())), filename="g.json", system="wgs84",
        area=county.towns[0], actor=admin,
    )  # fmt: skip
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("BEGIN")
            cursor.execute("SELECT 1 FROM grids_boundaryimport FOR UPDATE")  # the worker reads
            with pytest.raises(Conflict, match="正在读取"):
                boundary_import.drop(one=one, actor=admin)
            assert boundary_import.forget_old(now=timezone.now() + timedelta(hours=25)) == 0
            cursor.execute("ROLLBACK")
    finally:
        other.close()
    boundary_import.drop(one=one, actor=admin)
    one.refresh_from_db()
    assert one.state == ImportState.DROPPED


def test_a_row_can_be_left_out(county, admin):
    codes = [grid.code for grid in county.grids[:2]]
    second = [[x + 0.01, y] for x, y in BOX]
    one = read(county.towns[0], admin, feature(code=codes[0]), feature(second, code=codes[1]))
    boundary_import.choose(one=one, actor=admin, on=False, number=1)
    boundary_import.confirm(one=one, actor=admin)
    boundary_import.work()
    points = [Area.objects.get(code=code).boundary.num_points for code in codes]
    assert points == [5, 4]


def test_what_is_not_matched_cannot_be_taken_in(county, admin):
    one = read(county.towns[0], admin, feature(code="419901009009009"))
    assert boundary_import.choose(one=one, actor=admin, on=True, number=1) == 0
    with pytest.raises(Invalid):
        boundary_import.confirm(one=one, actor=admin)


def test_who_confirms_what_somebody_redrew_meanwhile_reads_so_and_nothing_is_saved(county, admin):
    codes = [grid.code for grid in county.grids[:2]]
    one = read(county.towns[0], admin, *[feature(code=code) for code in codes])
    box = MultiPolygon(Polygon.from_bbox((115.2, 33.6, 115.3, 33.7)))
    Area.objects.filter(code=codes[1]).update(boundary=box)
    boundary_import.confirm(one=one, actor=admin)
    boundary_import.work()
    one.refresh_from_db()
    assert one.state == ImportState.FAILED
    assert "第2网格" in one.error
    assert Area.objects.get(code=codes[0]).boundary.num_points == 5


def test_of_two_confirmations_one_wins(county, admin):
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    boundary_import.confirm(one=one, actor=admin)
    for step in (boundary_import.confirm, boundary_import.drop):
        with pytest.raises(Conflict):
            step(one=one, actor=admin)


def test_who_lost_the_post_meanwhile_saves_nothing(county, admin):
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    boundary_import.confirm(one=one, actor=admin)
    admin.postings.update(valid_from="2020-01-01", valid_to="2020-02-01")
    boundary_import.work()
    one.refresh_from_db()
    assert one.state == ImportState.FAILED
    assert Area.objects.get(pk=county.grids[0].pk).boundary.num_points == 5


def test_another_admin_of_the_same_town_has_no_hand_in_it(county, admin):
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    other = person(Role.TOWN_ADMIN, county.towns[0])
    with pytest.raises(NotAllowed):
        boundary_import.confirm(one=one, actor=other)


# Three formats, there and back


def exported(area: Area, kind: str, level: str = "grid") -> bytes:
    return packed_as(kind, exported_areas(area, level))


def packed_as(kind: str, rows) -> bytes:
    if kind == "shapefile":
        return as_shapefile(rows, name="grids").read()
    lines = as_geojson_lines(rows) if kind == "geojson" else as_kml_lines(rows)
    return "".join(lines).encode()


@pytest.fixture
def holey(county) -> None:
    """Give one grid a hole, a second part, and decimals that no shorter text keeps."""
    shell = Polygon.from_bbox((115.2 + 1 / 3e5, 33.6 + 1 / 7e5, 115.209999999999, 33.61))
    holed = Polygon(shell[0], Polygon.from_bbox((115.203, 33.603, 115.205, 33.605))[0])
    island = Polygon.from_bbox((115.4, 33.6, 115.41, 33.61))
    Area.objects.filter(pk=county.grids[0].pk).update(boundary=MultiPolygon(holed, island))


@pytest.mark.parametrize("kind", ["geojson", "kml", "shapefile"])
def test_what_was_exported_comes_back_unchanged(county, admin, holey, kind):
    one = taken(county.towns[0], admin, exported(county.towns[0], kind))
    assert one.state == ImportState.READ, one.error
    assert verdicts(one) == [Verdict.SAME] * 4
    rows = one.rows.order_by("number")
    assert [row.code for row in rows] == [grid.code for grid in county.grids[:4]]
    assert [row.name for row in rows] == [grid.name for grid in county.grids[:4]]


def test_any_number_of_areas_is_exported_by_one_query(county, django_assert_num_queries):
    with django_assert_num_queries(1):
        rows = list(exported_areas(county.county, "grid"))
    assert [row["parent_code"] for row in rows] == [grid.code[:12] for grid in county.grids]
    assert rows[0]["parent_name"] == county.villages[0].name


@pytest.mark.parametrize("system", ["wgs84", "cgcs2000", "gcj02"])
@pytest.mark.parametrize("kind", ["geojson", "kml", "shapefile"])
def test_each_format_is_read_in_each_coordinate_system(county, admin, kind, system):
    """The file stands where that system puts the grid; read, it stands where the grid is."""
    grid = county.grids[0]
    ring = [
        list(from_wgs84(lat, lon)) if system == "gcj02" else [lon, lat]
        for lon, lat in Area.objects.get(pk=grid.pk).boundary.coords[0][0]
    ]
    rows = [
        row | {"shape": json.dumps({"type": "MultiPolygon", "coordinates": [[ring]]})}
        for row in exported_areas(county.towns[0], "grid")
        if row["code"] == grid.code
    ]
    one = taken(county.towns[0], admin, packed_as(kind, rows), system=system)
    assert one.state == ImportState.READ, one.error
    (row,) = one.rows.all()
    assert (row.verdict in {Verdict.CODE, Verdict.SAME}, row.area_id) == (True, grid.pk)
    there = Area.objects.get(pk=grid.pk).boundary
    read_as, drawn = (shapely.from_wkb(bytes(shape.wkb)) for shape in (row.shape, there))
    assert shapely.hausdorff_distance(read_as, drawn) * 111_000 < 0.1
    assert one.warning == ""


def from_wgs84(lat: float, lon: float) -> tuple[float, float]:
    """Return (longitude, latitude) as Amap shows the place."""
    shown = prcoords.wgs_gcj(prcoords.Coords(lat, lon))
    return shown.lon, shown.lat


@pytest.mark.parametrize("kind", ["kml", "shapefile"])
def test_the_command_takes_the_other_formats_too(county, tmp_path, capsys, kind):
    data = exported(county.county, kind)
    Area.objects.filter(pk=county.grids[0].pk).update(boundary=None)
    file = tmp_path / "file"
    file.write_bytes(data)
    call_command("import_boundaries", file, verbosity=0)
    assert "修改 1，未变 7" in capsys.readouterr().out


GAUSS = (
    'PROJCS["CGCS2000_3_Degree_GK_CM_114E",GEOGCS["GCS_China_Geodetic_Coordinate_System_2000",'
    'DATUM["{datum}",SPHEROID["CGCS2000",6378137.0,298.257222101]],PRIMEM["Greenwich",0.0],'
    'UNIT["Degree",0.0174532925199433]],PROJECTION["Gauss_Kruger"],'
    'PARAMETER["False_Easting",500000.0],PARAMETER["False_Northing",0.0],'
    'PARAMETER["Central_Meridian",114.0],PARAMETER["Scale_Factor",1.0],'
    'PARAMETER["Latitude_Of_Origin",0.0],UNIT["Meter",1.0]]'
)


def shape_zip(ring, *, prj: str = "", encoding: str = "gb18030", **names: str) -> bytes:
    parts = {suffix: io.BytesIO() for suffix in ("shp", "shx", "dbf")}
    with shapefile.Writer(**parts, shapeType=shapefile.POLYGON, encoding=encoding) as writer:
        writer.field("XZQDM", "C", size=20)
        writer.field("XZQMC", "C", size=60)
        writer.poly([ring])
        writer.record("419901001001001", "第一网格")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for suffix, part in parts.items():
            archive.writestr(names.get(suffix, f"图层/网格.{suffix}"), part.getvalue())
        if prj:
            archive.writestr("图层/网格.prj", prj)
    return packed.getvalue()


def test_chinese_attributes_of_a_shapefile_are_read_in_either_encoding():
    for encoding in ("gb18030", "utf-8"):
        [one] = read_features(shape_zip(BOX, encoding=encoding))
        assert (one.code, one.name, one.problem) == ("419901001001001", "第一网格", "")


def test_metres_of_cgcs2000_become_degrees_by_what_the_prj_says():
    metres = [[x, y] for x, y in [(611_000, 3_719_000), (611_500, 3_719_000),
                                  (611_500, 3_719_500), (611_000, 3_719_000)]]  # fmt: skip
    [one] = read_features(shape_zip(metres, prj=GAUSS.format(datum="D_China_2000")))
    assert one.problem == ""
    [bare] = read_features(shape_zip(metres))
    assert "米" in bare.problem


def test_an_old_datum_is_refused_by_name():
    prj = GAUSS.format(datum="D_Xian_1980").replace("CGCS2000_3", "Xian_1980_3")
    with pytest.raises(BadUpload, match="Xian"):
        as_geojson(shape_zip(BOX, prj=prj))


def test_kml_of_a_phone_with_folders_heights_and_data_is_read():
    text = """<?xml version="1.0" encoding="GB2312"?>
    <kml xmlns="http://www.opengis.net/kml/2.2"><Document><Folder><Placemark><name>大王庄</name>
    <ExtendedData><Data name="parent"><value>419901001</value></Data></ExtendedData>
    <Polygon><outerBoundaryIs><LinearRing><coordinates>
    115.2,33.6,40 115.3,33.6,40 115.3,33.7,41 115.2,33.6,40
    </coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Folder></Document></kml>
    """.strip()
    for encoding in ("gb18030", "utf-8"):
        [one] = read_features(text.encode(encoding))
        assert (one.name, one.parent, one.problem) == ("大王庄", "419901001", "")


# Hostile files


def bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", b"\0" * 60_000_000)
    return packed.getvalue()


def dense() -> bytes:
    """Twenty megabytes of nothing: within the size, far beyond the ratio."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.shp", b"\0" * 20_000_000)
    return packed.getvalue()


def zipped(**members: bytes) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return packed.getvalue()


ENTITY = (
    b'<!DOCTYPE kml [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    b'<kml xmlns="http://www.opengis.net/kml/2.2"><Placemark><name>&x;</name></Placemark></kml>'
)
HOSTILE = {
    "a zip bomb": (bomb(), "解压后超过 50 MB"),
    "a dense zip": (dense(), "压缩比异常"),
    "external entities": (ENTITY, "实体"),
    "entities in another case": (ENTITY.replace(b"DOCTYPE", b"doctype"), "实体"),
    "a KMZ": (zipped(**{"doc.kml": b"<kml/>"}), "KMZ"),
    "a zip of something else": (zipped(**{"a.txt": b"x"}), "缺少 .shp, .shx, .dbf"),
    "two layers": (zipped(**{"a.shp": b"x", "b.shp": b"x"}), "多个图层"),
    "many files": (zipped(**{f"{n}.txt": b"" for n in range(201)}), "超过 200 个文件"),
    "a broken zip": (b"PK\x03\x04nonsense", "已损坏"),
    "broken parts": (zipped(**{"a.shp": b"x", "a.shx": b"x", "a.dbf": b"x"}), "已损坏"),
    "HTML": (b"<html><script>alert(1)</script></html>", "不是 KML"),
    "broken KML": (b"<kml><Placemark><Polygon>", "已损坏"),
}


@pytest.mark.parametrize(("data", "words"), HOSTILE.values(), ids=HOSTILE)
def test_a_file_that_would_do_harm_is_refused_in_plain_words(data, words):
    with pytest.raises(BadUpload, match=words):
        as_geojson(data)


def test_names_inside_a_zip_are_never_used_as_paths(tmp_path):
    data = shape_zip(BOX, shp="../../etc/x.shp", shx="/etc/x.shx", dbf="C:\\windows\\x.dbf")
    [one] = read_features(data)
    assert one.problem == ""


def test_a_link_in_a_kml_opens_nothing(tmp_path):
    inside = tmp_path / "inside.kml"
    inside.write_text("<kml><Placemark><name>秘密</name></Placemark></kml>")
    text = (
        '<kml xmlns="http://www.opengis.net/kml/2.2"><Document>'
        f"<NetworkLink><Link><href>{inside}</href></Link></NetworkLink>"
        "<Placemark><name>甲</name><Polygon><outerBoundaryIs><LinearRing><coordinates>"
        "115.2,33.6 115.3,33.6 115.3,33.7 115.2,33.6"
        "</coordinates></LinearRing></outerBoundaryIs></Polygon></Placemark></Document></kml>"
    )
    assert [one.name for one in read_features(text.encode())] == ["甲"]


def test_a_driver_gdal_has_besides_is_not_asked(tmp_path):
    """A text that GDAL's virtual driver would follow is only a broken KML here."""
    text = b'<OGRVRTDataSource><!-- <kml --><OGRVRTLayer name="x"><SrcDataSource>/etc/passwd'
    with pytest.raises(BadUpload):
        as_geojson(text)


def test_a_refused_file_is_told_on_its_page_and_forgotten(
    client, county, admin, settings, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        one = taken(county.towns[0], admin, ENTITY)
    assert "实体" in client.get(reverse("boundary_import", args=[one.pk])).content.decode()
    assert (one.state, one.file.name) == (ImportState.FAILED, "")
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


# The pages


def upload(client, area: Area, data: bytes, name: str = "grids.json"):
    form = {"area": area.pk, "system": "wgs84", "file": SimpleUploadedFile(name, data)}
    return client.post(reverse("boundaries"), form)


def test_an_upload_leads_to_its_preview_and_on_to_what_is_saved(client, county, admin):
    response = upload(client, county.towns[0], collection(feature(code=county.grids[0].code)))
    assert response.status_code == 302
    page = response.url
    assert "正在读取" in client.get(page).content.decode()
    boundary_import.work()
    poll = client.get(page, headers={"HX-Request": "true"})
    assert poll.headers["HX-Refresh"] == "true"
    text = client.get(page).content.decode()
    assert "按代码匹配" in text
    assert "保存 1 个边界" in text
    box = {"bbox": "115,33,116,34"}
    kinds = [one["properties"].get("old", False) for one in
             client.get(f"{page}map.json", box).json()["features"]]  # fmt: skip
    assert kinds == [True, False]
    client.post(f"{page}confirm/")
    assert "正在保存" in client.get(page).content.decode()
    boundary_import.work()
    assert "已保存 1 个边界" in client.get(page).content.decode()


def test_a_row_is_switched_off_where_it_stands(client, county, admin):
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    address = reverse("boundary_choose", args=[one.pk])
    answer = client.post(address, {"number": 1}, headers={"HX-Request": "true"})
    assert "保存 0 个边界" in answer.content.decode()
    assert "disabled" in answer.content.decode()
    client.post(address, {"number": 1, "on": 1})
    assert one.rows.filter(chosen=True).count() == 1


def test_an_empty_upload_and_no_file_are_told_beside_the_field(client, county, admin):
    for data in ({}, {"file": SimpleUploadedFile("x.json", b"")}):
        form = {"area": county.towns[0].pk, "system": "wgs84", **data}
        assert client.post(reverse("boundaries"), form).status_code == 422
    assert not BoundaryImport.objects.exists()


@pytest.mark.parametrize("kind", ["geojson", "kml", "shapefile"])
def test_an_export_holds_the_town_and_nothing_beyond(client, county, admin, kind):
    response = client.get(reverse("boundaries_export"), {"format": kind})
    data = response.getvalue()
    codes = {one.code for one in read_features(data)}
    assert codes == {grid.code for grid in county.grids[:4]}
    assert "attachment" in response.headers["Content-Disposition"]


def test_other_levels_can_be_exported_and_nonsense_is_refused(client, county, admin):
    address = reverse("boundaries_export")
    towns = client.get(address, {"level": "town"}).getvalue()
    assert [one.code for one in read_features(towns)] == [county.towns[0].code]
    assert client.get(address, {"level": "province"}).status_code == 400
    assert client.get(address, {"format": "exe"}).status_code == 400


def test_beyond_the_border_nothing_is_taken_in_or_handed_out(client, county, admin):
    for beyond in (county.county, county.towns[1], county.grids[7]):
        assert upload(client, beyond, b"{}").status_code == 404
        for name in ("boundaries", "boundaries_export"):
            assert client.get(reverse(name), {"area": beyond.pk}).status_code == 404
    with pytest.raises(NotAllowed):
        taken(county.towns[1], admin, b"{}")


def test_an_import_is_seen_by_whoever_uploaded_it_only(client, county, admin):
    one = read(county.towns[0], admin, feature(code=county.grids[0].code))
    client.force_login(person(Role.TOWN_ADMIN, county.towns[0]))
    for name in ("boundary_import", "boundary_map"):
        assert client.get(reverse(name, args=[one.pk])).status_code == 404
    for name in ("boundary_choose", "boundary_confirm", "boundary_drop"):
        assert client.post(reverse(name, args=[one.pk])).status_code == 404
