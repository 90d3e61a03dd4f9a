"""Official lists and boundary files: taken whole or refused whole, with each bad line named."""

import json
from pathlib import Path

import pytest
import shapely
from django.core.management import CommandError, call_command

from grids.models import Area

HEADER = "code,name,level,parent_code\n"
GOOD = HEADER + (
    "419901,青禾县,county,\n"
    "419901001,东关镇,town,419901\n"
    "419901001001,大王庄,village,419901001\n"
    "419901001001001,第一网格,grid,419901001001\n"
    "41990100100100101,一组,unit,419901001001001\n"
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def load(tmp_path: Path, capsys):
    """Return a function that imports a file of areas and gives back what was printed."""

    def run(content: str | bytes) -> str:
        file = tmp_path / "list.csv"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        call_command("import_areas", file, verbosity=0)
        return capsys.readouterr().out

    return run


def test_a_list_is_imported_and_imported_again_without_change(load):
    assert "新增 5，修改 0，未变 0" in load(GOOD)
    assert "新增 0，修改 0，未变 5" in load(GOOD)
    assert Area.objects.find_problems() == ([], [], [], [], [])


def test_the_order_of_lines_does_not_matter(load):
    head, *lines = GOOD.splitlines()
    assert "新增 5" in load("\n".join([head, *reversed(lines)]))


def test_a_list_may_name_parents_that_are_there_already(load):
    load(GOOD)
    assert "新增 1" in load(HEADER + "419901002,柳河乡,town,419901\n")


def test_a_changed_name_is_taken_over(load):
    load(GOOD)
    assert "修改 1，未变 4" in load(GOOD.replace("大王庄", "小王庄"))
    assert Area.objects.get(code="419901001001").name == "小王庄"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gbk", "gb18030"])
def test_every_usual_encoding_is_read(load, encoding):
    load(GOOD.encode(encoding))
    assert Area.objects.get(code="419901").name == "青禾县"


def test_windows_lines_blank_lines_and_more_columns_are_no_trouble(load):
    text = "name,code,level,parent_code,grid_kind,note\r\n青禾县,419901,county,,,x\r\n,,,,,\r\n"
    assert "新增 1" in load(text)


def test_a_grid_may_say_its_kind_and_who_runs_it(load):
    load(GOOD)
    load(
        "code,name,level,parent_code,grid_kind,organisation\n"
        "419901001001002,医院网格,grid,419901001001,dedicated,县医院\n"
    )
    grid = Area.objects.get(code="419901001001002")
    assert (grid.grid_kind, grid.organisation) == ("dedicated", "县医院")
    assert Area.objects.get(code="419901001001001").grid_kind == "rural"


BAD_LINES = {
    "missing parent": ("419901009001,孤村,village,419901009", "上级“419901009”既不在文件中"),
    "duplicate code": ("419901001,又一个,town,419901", "重复，首次出现在第 3 行"),
    "too short": ("41990100,短,town,419901", "是 8 位；town 应为 9 位"),
    "not digits": ("41990100A,字母,town,419901", "“41990100A”只能是数字"),
    "full-width digits": ("４１９９０１００２,全角,town,419901", "只能是数字"),
    "not the parent's code": ("419902001,外县,town,419901", "不是以上级代码“419901”开头"),
    "unknown level": ("419901003,什么,hamlet,419901", "层级“hamlet”不认识"),
    "empty name": ("419901003, ,town,419901", "名称为空"),
    "no parent given": ("419901003,无上级,town,", "town 必须填写上级代码"),
    "parent of a wrong level": ("419901001002,错级,village,419901", "village 的上级应为 town"),
    "name too long": (f"419901003,{'长' * 101},town,419901", "名称有 101 个字"),
    "unknown level and parent": ("x,y,z,w", "层级“z”不认识"),
    "too few fields": ("419901003,少列", "列数与首行不一致"),
    "too many fields": ("419901003,多列,town,419901,extra", "列数与首行不一致"),
}


@pytest.mark.parametrize(("line", "reason"), BAD_LINES.values(), ids=BAD_LINES)
def test_one_bad_line_refuses_the_whole_list_and_is_named(load, line, reason):
    with pytest.raises(CommandError) as refused:
        load(GOOD + line + "\n")
    message = str(refused.value)
    assert "第 7 行: " in message
    assert reason in message
    assert "没有导入任何数据" in message
    assert not Area.objects.exists()


def test_every_bad_line_is_named_not_only_the_first(load):
    with pytest.raises(CommandError) as refused:
        load(HEADER + "419901,甲,county,\n1,乙,town,419901\n2,丙,town,419901\n")
    assert "第 3 行" in str(refused.value)
    assert "第 4 行" in str(refused.value)


def test_of_very_many_bad_lines_the_first_are_shown(load):
    lines = "".join(f"{n},名,town,\n" for n in range(500))
    with pytest.raises(CommandError, match="另有 800 条"):
        load(HEADER + lines)


BAD_FILES = {
    "empty": (b"", "文件是空的"),
    "header only": (HEADER, "文件中没有区划"),
    "no header": ("419901,青禾县,county,\n", "缺少：code, name, level, parent_code"),
    "a column missing": ("code,name,level\n419901,青禾县,county\n", "缺少：parent_code"),
    "a zero byte": (GOOD.encode() + b"41\x009901", "第 7 行有零字节"),
    "no text at all": (b"\xff\xfe\xff\x81\x20\x81", "既不是 UTF-8 也不是 GB 18030"),
    "an open quote": (HEADER + '419901,"青禾县,county,\n', "不是规范的 CSV"),
    "a spreadsheet": (b"PK\x03\x04\x00\x00", "零字节"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_FILES.values(), ids=BAD_FILES)
def test_a_file_that_cannot_be_read_is_refused_in_plain_words(load, content, reason):
    with pytest.raises(CommandError, match=reason):
        load(content)


def test_a_file_that_is_not_there_is_told():
    with pytest.raises(CommandError, match="无法读取"):
        call_command("import_areas", "/no/such/list.csv", verbosity=0)


def test_a_known_code_does_not_become_another_level(load):
    load(GOOD)
    with pytest.raises(CommandError, match="已经是 village"):
        load(HEADER + "419901001001,大王庄,town,419901\n")


# Boundaries

SQUARE = [[115.2, 33.6], [115.3, 33.6], [115.3, 33.7], [115.2, 33.7], [115.2, 33.6]]


def polygon(*rings) -> dict:
    return {"type": "Polygon", "coordinates": list(rings)}


def feature(geometry, code="419901001", **more) -> dict:
    return {"type": "Feature", "properties": {"code": code}, "geometry": geometry, **more}


def collection(*features, **more) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features, **more})


def parts(*polygons) -> dict:
    return {"type": "MultiPolygon", "coordinates": list(polygons)}


def moved(east: float, north: float | None = None) -> list:
    return [[x + east, y + (east if north is None else north)] for x, y in SQUARE]


def box(low: float, high: float) -> list:
    """A square inside SQUARE, from its south-west corner on."""
    corners = [(low, low), (high, low), (high, high), (low, high), (low, low)]
    return [[115.2 + x, 33.6 + y] for x, y in corners]


@pytest.fixture
def draw(load, tmp_path: Path, capsys):
    """Return a function that imports boundaries for the good list."""
    load(GOOD)

    def run(content: str | bytes, **options) -> str:
        file = tmp_path / "areas.geojson"
        file.write_bytes(content.encode() if isinstance(content, str) else content)
        call_command("import_boundaries", file, verbosity=0, **options)
        return capsys.readouterr().out

    return run


def the_town() -> Area:
    return Area.objects.get(code="419901001")


def test_boundaries_are_imported_with_outline_and_centre_and_again_without_change(draw):
    text = collection(feature(polygon(SQUARE)))
    assert "修改 1，未变 0" in draw(text)
    town = the_town()
    assert town.boundary.area == pytest.approx(0.01)
    assert town.outline.valid
    assert town.boundary.contains(town.centre)
    assert "修改 0，未变 1" in draw(text)


def test_the_outline_is_lighter_than_the_boundary(draw):
    round_one = shapely.Point(115.2, 33.6).buffer(0.05, quad_segs=200)
    draw(collection(feature(json.loads(shapely.to_geojson(round_one)))))
    town = the_town()
    assert town.outline.num_points < town.boundary.num_points / 5
    assert town.outline.area == pytest.approx(town.boundary.area, rel=0.05)


def test_a_hole_parts_heights_and_numeric_codes_are_taken(draw):
    hole = [[115.22, 33.62], [115.24, 33.62], [115.24, 33.64], [115.22, 33.62]]
    high = polygon([[x, y, 40.5] for x, y in SQUARE])
    draw(
        collection(
            feature(parts([SQUARE, hole], [moved(0.2)]), code=419901001),
            feature(high, code="419901001001"),
        )
    )
    assert the_town().boundary.num_geom == 2
    assert not Area.objects.get(code="419901001001").boundary.hasz


def test_what_looks_odd_but_is_sound_is_taken(draw):
    touching_hole = [[115.2, 33.65], [115.25, 33.64], [115.25, 33.66], [115.2, 33.65]]
    doubled = [SQUARE[0], *SQUARE]
    corner_to_corner = parts([SQUARE], [moved(0.1)])
    draw(
        collection(
            feature(polygon(doubled, touching_hole)),
            feature(corner_to_corner, code="419901001001"),
        )
    )
    assert Area.objects.exclude(boundary=None).count() == 2
    assert all(area.boundary.valid for area in Area.objects.exclude(boundary=None))


def test_the_code_may_stand_in_another_property(draw):
    text = collection(
        {"type": "Feature", "properties": {"XZQDM": "419901001"}, "geometry": polygon(SQUARE)}
    )
    assert "修改 1" in draw(text, code_property="XZQDM")


@pytest.mark.parametrize(("system", "least", "most"), [("gcj02", 300, 900), ("bd09", 700, 1900)])
def test_chinese_map_coordinates_are_converted(draw, system, least, most):
    draw(collection(feature(polygon(SQUARE))), crs=system)
    west, south, *_ = the_town().boundary.extent
    metres = ((115.2 - west) ** 2 + (33.6 - south) ** 2) ** 0.5 * 100_000
    assert least < metres < most


@pytest.mark.parametrize("name", ["urn:ogc:def:crs:OGC:1.3:CRS84", "EPSG:4490", "EPSG:4326"])
def test_declared_geographic_systems_are_taken(draw, name):
    crs = {"type": "name", "properties": {"name": name}}
    assert "修改 1" in draw(collection(feature(polygon(SQUARE)), crs=crs))


BOW_TIE = [[115.2, 33.6], [115.3, 33.7], [115.3, 33.6], [115.2, 33.7], [115.2, 33.6]]
# Two triangles of one ring that meet in a point.
PINCHED = [
    *([115.2, 33.6], [115.25, 33.65], [115.3, 33.6], [115.3, 33.7]),
    *([115.25, 33.65], [115.2, 33.7], [115.2, 33.6]),
]
# A hole that touches the outline twice.
WEDGE = [[115.2, 33.65], [115.3, 33.65], [115.25, 33.68], [115.2, 33.65]]
SWAPPED = [[y, x] for x, y in SQUARE]
METRES = [[x * 100_000, y * 100_000] for x, y in SQUARE]

BAD_FEATURES = {
    "unknown code": (feature(polygon(moved(1)), code="419901777"), "没有这个代码的区划"),
    "no code": (feature(polygon(moved(1)), code=None), "没有属性“code”"),
    "no properties": ({"type": "Feature", "geometry": polygon(moved(1))}, "没有属性"),
    "code twice": (feature(polygon(moved(1)), code="419901"), "代码重复，首次出现在第 1 个要素"),
    "no geometry": (feature(None), "图形为空"),
    "empty geometry": (feature(polygon()), "图形为空"),
    "empty ring": (feature(polygon([])), "图形为空"),
    "a point": (feature({"type": "Point", "coordinates": [115.2, 33.6]}), "是 Point，不是多边形"),
    "self-crossing": (feature(polygon(BOW_TIE)), r"边界自相交或重叠，位置 115\.250000, 33\.650000"),
    "self-touching": (feature(polygon(PINCHED)), "边界与自身相接"),
    "hole in a hole": (feature(polygon(SQUARE, box(0.01, 0.06), box(0.02, 0.03))), "孔洞套孔洞"),
    "cut apart": (feature(polygon(SQUARE, WEDGE)), "孔洞把区域分割开"),
    "part in a part": (feature(parts([SQUARE], [box(0.02, 0.03)])), "一个部分位于另一部分之内"),
    "overlapping parts": (feature(parts([SQUARE], [moved(0.05)])), "边界自相交或重叠"),
    "parts sharing an edge": (feature(parts([SQUARE], [moved(0.1, 0)])), "边界自相交或重叠"),
    "the same part twice": (
        feature(parts([SQUARE], [SQUARE])),
        "边界自相交或重叠",
    ),
    "a spike and back": (
        feature(polygon([SQUARE[0], SQUARE[1], SQUARE[0], SQUARE[0]])),
        "围不成面",
    ),
    "not closed": (feature(polygon(SQUARE[:-1])), "没有闭合"),
    "two positions": (feature(polygon([SQUARE[0], SQUARE[0]])), "只有 2 个坐标"),
    "swapped": (feature(polygon(SWAPPED)), "经纬度写反了"),
    "projected": (feature(polygon(METRES)), "投影坐标的米"),
    "elsewhere": (feature(polygon([[x - 100, y] for x, y in SQUARE])), "不在中国范围内"),
    "not numbers": (feature(polygon([["a", "b"], *SQUARE[1:]])), "不是坐标"),
    "infinite": (feature(polygon([[float("inf"), 33.6], *SQUARE[1:]])), "不是坐标"),
    "a huge number": (feature(polygon([[10**400, 33.6], *SQUARE[1:]])), "不是坐标"),
    "flat": (feature({"type": "Polygon", "coordinates": SQUARE}), "不是坐标"),
    "text": (feature({"type": "Polygon", "coordinates": "x"}), "为空|不是坐标"),
    "not a feature": ("x", "没有属性"),
    "hole outside": (feature(polygon(SQUARE, moved(1))), "孔洞位于外边界之外"),
}


@pytest.mark.parametrize(("bad", "reason"), BAD_FEATURES.values(), ids=BAD_FEATURES)
def test_one_bad_feature_refuses_the_whole_file_and_is_named(draw, bad, reason):
    with pytest.raises(CommandError, match=f"(?s)第 2 个要素.*{reason}"):
        draw(collection(feature(polygon(moved(0.3)), code="419901"), bad))
    assert not Area.objects.exclude(boundary=None).exists()


BAD_GEOJSON = {
    "not JSON": ('{"type": ', "不是有效的 JSON：第 1 行"),
    "another type": (json.dumps(feature(polygon(SQUARE))), "FeatureCollection"),
    "a list": ("[]", "FeatureCollection"),
    "no features": (collection(), "没有要素"),
    "too deep": ("[" * 100_000, "嵌套层数过多"),
    "metres declared": (
        collection(
            feature(polygon(SQUARE)),
            crs={"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::4527"}},
        ),
        "EPSG::4527",
    ),
    "odd crs": (collection(feature(polygon(SQUARE)), crs="x"), "坐标系"),
}


@pytest.mark.parametrize(("content", "reason"), BAD_GEOJSON.values(), ids=BAD_GEOJSON)
def test_a_boundary_file_that_cannot_be_read_is_refused(draw, content, reason):
    with pytest.raises(CommandError, match=reason):
        draw(content)


def test_an_unknown_system_is_refused(draw):
    with pytest.raises(CommandError, match="crs"):
        call_command("import_boundaries", "x.geojson", "--crs", "beijing54")
