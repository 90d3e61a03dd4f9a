"""The pages of inspections: the inspector's form, the ledger, places by sheet, and who may what."""

import io
import json
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from core.models import SheetUpload
from core.services import sheets
from core.sheets.reading import read_table
from grids.factories import person
from grids.models import Role
from incidents.factories import actor, as_, draft_photo
from incidents.models import Hazard, Inspection, InspectionPlace, State
from incidents.services import handling, hazards
from incidents.tests.test_inspections import a_place, campaign, found
from incidents.views import hazards as ledger

pytestmark = pytest.mark.django_db


@pytest.fixture
def place(world):
    return a_place(world, campaign(world))


def photo(name="a.jpg") -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(out, "JPEG")
    return SimpleUploadedFile(name, out.getvalue(), "image/jpeg")


def typed(place, **more):
    item = place.inspection.items.first()
    return {
        "found": "hazard", "key": str(uuid.uuid4()), "item": item.pk, "text": "两个都过期",
        "fixed": "no",
    } | more  # fmt: skip


def test_the_phone_sends_a_hazard_with_its_photos_and_again_without_doubling(world, place):
    client, url = as_(world.worker), f"/inspections/place/{place.pk}/"
    body = typed(place, fixed="yes", result="已更换")
    for _time in range(2):
        files = {"before_files": photo(), "after_files": photo()}
        answer = client.post(url, body | files, headers={"accept": "application/json"})
        assert answer.status_code == 201
        assert json.loads(answer.content) == {"url": url, "code": "和顺面粉厂"}
    hazard = Hazard.objects.get()
    assert hazard.incident.state == State.RESPONDED
    shown = client.get(url).content.decode()
    assert "灭火器过期" in shown
    assert "当场整改" in shown


def test_a_refused_hazard_says_why_and_keeps_what_was_typed(world, place):
    client, url = as_(world.worker), f"/inspections/place/{place.pk}/"
    body = typed(place, fixed="yes", text="车间东墙")
    answer = client.post(url, body | {"before_files": photo()})
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "请拍摄整改后的照片" in shown.replace("当场整改的，", "")
    assert "车间东墙" in shown
    assert 'name="before" value="' in shown
    told = client.post(url, typed(place), headers={"accept": "application/json"})
    assert told.status_code == 422
    assert "before" in json.loads(told.content)["errors"]
    assert not Hazard.objects.exists()


def test_no_hazard_is_noted_and_the_place_leaves_the_round(world, place):
    client = as_(world.worker)
    assert "和顺面粉厂" in client.get("/inspections/round/").content.decode()
    client.post(f"/inspections/place/{place.pk}/", {"found": "clean"})
    assert "和顺面粉厂：无隐患" in client.get("/inspections/round/").content.decode()
    assert "和顺面粉厂" not in client.get("/inspections/round/").content.decode()
    again = as_(world.office).post(
        f"/inspections/place/{place.pk}/", {"found": "clean"},
        headers={"accept": "application/json"},
    )  # fmt: skip
    assert again.status_code == 409
    plain = as_(world.office).post(f"/inspections/place/{place.pk}/", {"found": "clean"})
    assert plain.status_code == 409
    # Whoever only looks on is told so, and not that the session has ended.
    looker = as_(world.command).post(
        f"/inspections/place/{place.pk}/", typed(place) | {"before_files": photo()},
        headers={"accept": "application/json"},
    )  # fmt: skip
    assert looker.status_code == 409
    assert "未参加" in json.loads(looker.content)["error"]
    assert world.worker.display_name in json.loads(again.content)["error"]


def test_the_ledger_shows_before_and_after_and_goes_out_as_excel(world, place):
    hazards.record_hazard(
        sent=found(place, world.worker, fixed=True, text="=1+1"), actor=actor(world.worker)
    )
    hazards.record_hazard(sent=found(place, world.worker), actor=actor(world.worker))
    client = as_(world.town_admin)
    shown = client.get("/inspections/hazards/", {"inspection": place.inspection_id})
    assert shown.content.decode().count("/files/") >= 3
    only = client.get("/inspections/hazards/", {"show": "at_once"}).content.decode()
    assert only.count("i-hazard") == 1
    file = client.get("/inspections/hazards.xlsx", {"inspection": place.inspection_id})
    rows = read_table(file.content, ledger.COLUMNS).rows
    assert len(rows) == 2
    assert not any(cell.startswith("=") for row in rows for cell in row.cells)
    beyond = as_(person(Role.TOWN_ADMIN, world.places.towns[1]))
    assert (
        beyond.get("/inspections/hazards/", {"inspection": place.inspection_id}).status_code == 404
    )
    assert beyond.get("/inspections/hazards/", {"area": world.town.pk}).status_code == 404
    assert "和顺面粉厂" not in beyond.get("/inspections/hazards/").content.decode()


def test_a_campaign_is_made_changed_and_closed_and_bad_input_comes_back_whole(world):
    client = as_(world.town_admin)
    body = {
        "area": world.town.pk, "name": "路灯排查", "kind": "lamp", "starts_on": "2026-11-20",
        "ends_on": "2026-12-20", "areas": [world.town.pk], "item0-text": "灯不亮",
        "item0-category": world.rubbish.pk, "item0-days": 5, "item1-text": "",
    }  # fmt: skip
    wrong = client.post("/inspections/new/", body | {"item0-category": ""})
    assert wrong.status_code == 422
    assert "灯不亮" in wrong.content.decode()
    assert client.post("/inspections/new/", body).status_code == 302
    made = Inspection.objects.get()
    there = f"/inspections/{made.pk}/"
    line = made.items.get()
    changed = body | {"name": "路灯大排查", "seen": made.version, "item0-pk": line.pk}
    assert client.post(f"{there}change/", changed).status_code == 302
    assert client.post(f"{there}change/", changed).status_code == 409
    assert made.items.get() == line
    client.post(f"{there}places/", {"name": "一号灯", "area": world.village.pk})
    assert InspectionPlace.objects.get().area == world.village
    assert "一号灯" in client.get(f"{there}places/").content.decode()
    made.refresh_from_db()
    client.post(f"{there}close/", {"seen": made.version})
    made.refresh_from_db()
    assert made.closed_at
    assert "路灯大排查" in as_(world.command).get(there).content.decode()
    # Seen from the village, but not the village's to change.
    assert as_(world.office).get(there).status_code == 200
    assert as_(world.office).post(f"{there}close/").status_code == 403


def test_places_come_in_by_a_sheet_once(world):
    inspection = campaign(world)
    longitude, latitude = world.places.point_in(world.grid)
    there = f"{longitude},{latitude}"
    elsewhere = world.places.villages[2].code
    lines = [
        "专项检查,点位名称,地址,区划代码,经度,纬度",
        f"{inspection.name},一号店,东街1号,,{there}",
        f"{inspection.name},二号店,东街2号,{world.village.code},,",
        f"{inspection.name},外镇的店,西街,{elsewhere},,",
        f"{inspection.name},二号店,东街2号,{world.village.code},,",
    ]
    for outcome in ({"added": 2, "refused": 2}, {"unchanged": 2, "refused": 2}):
        upload = sheets.take(
            kind="inspection_places", data="\n".join(lines).encode("utf-8-sig"),
            file_name="x.csv", actor=world.town_admin,
        )  # fmt: skip
        sheets.work_due()
        upload = SheetUpload.objects.get(pk=upload.pk)
        assert {k: v for k, v in upload.counts.items() if v} == outcome, upload.problem
        if "added" in outcome:
            sheets.confirm(upload_id=upload.pk, kind="inspection_places", actor=world.town_admin)
            sheets.work_due()
    assert InspectionPlace.objects.count() == 2


def test_an_item_that_asks_for_a_photo_refuses_an_answer_without_one(world):
    """On the page and in the API alike, with the rule named and the words kept."""
    world.rubbish.photo_on_answer = True
    world.rubbish.save(update_fields=["photo_on_answer"])
    case = world.accepted()
    client = as_(world.city_handler)
    page = client.post(f"/incidents/{case.tracking_code}/do/respond/", {"result": "清走了"})
    assert page.status_code == 422
    assert "须附结果照片" in page.content.decode()
    assert "清走了" in page.content.decode()
    api = f"/api/v1/incidents/{case.tracking_code}/respond/"
    told = client.post(api, {"result": "清走了"}, content_type="application/json")
    assert told.status_code == 400
    assert "须附结果照片" in told.content.decode()
    sent = draft_photo(world.city_handler)
    handling.respond(
        incident_id=case.pk, actor=actor(world.city_handler), result="清走了", photo_ids=[sent.pk]
    )
    case.refresh_from_db()
    assert case.state == State.RESPONDED
