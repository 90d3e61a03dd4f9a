"""Photos: cleaned on the way in, and on the way out only for whoever may see them."""

import io
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from grids.factories import person
from grids.models import Role
from incidents.factories import actor
from incidents.forms.actions import ACTION_FORMS
from incidents.models import Attachment, Source
from incidents.services import dispatching, handling, whistle
from incidents.services.intake import Report, report

pytestmark = pytest.mark.django_db


def picture(name="IMG_0001.jpg", *, kind="JPEG", exif=None, size=(32, 24)):
    out = io.BytesIO()
    image = Image.new("RGB", size, "#7a9")
    image.save(out, kind, **({"exif": exif} if exif else {}))
    return SimpleUploadedFile(name, out.getvalue(), content_type="image/jpeg")


def send(client, file=None):
    return client.post("/photos/", {"photo": file or picture()}, HTTP_ACCEPT="application/json")


def reported_with(client, world, photo_id, text="垃圾堆在路口"):
    answer = client.post("/report/", {"text": text, "photos": [photo_id]})
    assert answer.status_code == 302, answer.content.decode()
    return Attachment.objects.get(pk=photo_id).incident


def test_a_photo_is_stored_clean_under_a_name_of_its_own(client, world):
    exif = Image.Exif()
    exif[0x010F] = "Camera of 张三"
    answer = send(client, picture("../../evil<script>.jpg", exif=exif))
    photo = Attachment.objects.get()
    assert (answer.status_code, answer.json()) == (
        201,
        {"id": str(photo.pk), "url": f"/files/{photo.pk}/"},
    )
    assert "evil" not in photo.file.name
    with photo.file.open() as stored:
        data = stored.read()
        assert "张三".encode() not in data
        assert Image.open(io.BytesIO(data)).format == "JPEG"


@pytest.mark.parametrize(
    "content",
    [b"", b"<?php system($_GET['c']); ?>", b"GIF89a<script>alert(1)</script>", b"\xff\xd8\xff\xe0"],
)
def test_what_is_not_a_whole_picture_is_refused_in_chinese(client, world, content):
    answer = send(client, SimpleUploadedFile("shell.php.jpg", content, content_type="image/jpeg"))
    assert answer.status_code == 400
    assert any("一" <= letter <= "鿿" for letter in answer.json()["error"])
    assert not Attachment.objects.exists()


def test_a_huge_body_is_refused_before_it_is_read(client, world):
    answer = client.post(
        "/photos/",
        data=b"x",
        content_type="multipart/form-data; boundary=b",
        CONTENT_LENGTH=str(12 * 1024 * 1024),
    )
    assert answer.status_code == 413
    assert "MB" in answer.json()["error"]


def test_a_picture_of_too_many_pixels_is_refused(client, world):
    answer = send(client, picture(kind="PNG", size=(9000, 5000)))
    assert answer.status_code == 400


def test_uploads_are_limited_by_address(client, world, settings):
    settings.RATE_LIMITS = {**settings.RATE_LIMITS, "upload": (1, 60)}
    assert send(client).status_code == 201
    again = send(client)
    assert (again.status_code, "Retry-After" in again.headers) == (429, True)
    assert again.json()["error"]


def test_another_site_cannot_upload_in_somebodys_name(world, client):
    strict = client.__class__(enforce_csrf_checks=True)
    assert send(strict).status_code == 403


def test_a_draft_is_seen_by_its_sender_alone(client, world):
    photo = send(client).json()
    shown = client.get(photo["url"])
    assert shown.status_code == 200
    assert shown["Content-Type"] == "image/jpeg"
    assert shown["X-Content-Type-Options"] == "nosniff"
    assert shown["Content-Disposition"].startswith("inline")
    assert "private" in shown["Cache-Control"]
    stranger = client.__class__()
    assert stranger.get(photo["url"]).status_code == 404
    stranger.force_login(world.command)
    assert stranger.get(photo["url"]).status_code == 404


def test_a_draft_of_another_browser_cannot_be_sent_along(client, world):
    photo = send(client).json()
    thief = client.__class__()
    answer = thief.post("/report/", {"text": "路灯坏了", "photos": [photo["id"]]})
    assert answer.status_code == 400
    assert Attachment.objects.get().incident is None


def test_a_forged_keepsake_opens_nothing(client, world):
    photo = send(client).json()
    forged = client.__class__()
    forged.cookies["geshi_keepsake"] = client.cookies["geshi_keepsake"].value[:-3] + "abc"
    assert forged.get(photo["url"]).status_code == 404


def test_a_guessed_id_is_not_found(client, world):
    assert client.get(f"/files/{uuid.uuid4()}/").status_code == 404
    assert client.get("/files/1/").status_code == 404
    assert client.get("/media/photos/x.jpg").status_code == 404


def test_a_photo_of_a_case_is_for_staff_of_the_place_and_its_reporter(client, world):
    photo = send(client).json()
    incident = reported_with(client, world, photo["id"])
    assert incident is not None
    assert client.get(photo["url"]).status_code == 200

    def seen_by(user):
        other = client.__class__()
        other.force_login(user)
        return other.get(photo["url"]).status_code

    assert seen_by(world.command) == 200
    assert seen_by(person(Role.GRID_WORKER, world.places.grids[-1])) == 404
    assert seen_by(world.water_handler) == 404
    assert seen_by(person(Role.SYSTEM_ADMIN, world.county)) == 404
    assert client.__class__().get(photo["url"]).status_code == 404


def test_a_photo_on_an_internal_row_is_not_for_the_reporter(client, world):
    longitude, latitude = world.places.point_in(world.grid)
    client.post("/report/", {"text": "垃圾堆了三天", "lat": latitude, "lon": longitude})
    staff = client.__class__()
    staff.force_login(world.command)
    photo = send(staff).json()
    incident = report(Report(text="x" * 3, source=Source.RESIDENT))[0]
    dispatching.remark(
        incident_id=incident.pk,
        actor=actor(world.command),
        note="内部照片",
        photo_ids=[uuid.UUID(photo["id"])],
    )
    client.get("/track/", {"code": incident.tracking_code})
    assert client.get(photo["url"]).status_code == 404
    assert staff.get(photo["url"]).status_code == 200


def test_a_photo_of_the_result_is_for_the_reporter(client, world):
    incident = world.accepted()
    handler = client.__class__()
    handler.force_login(world.city_handler)
    photo = send(handler).json()
    handling.respond(
        incident_id=incident.pk,
        actor=actor(world.city_handler),
        result="已清运完毕",
        photo_ids=[uuid.UUID(photo["id"])],
    )
    assert client.get(photo["url"]).status_code == 404
    client.get("/track/", {"code": incident.tracking_code})
    assert client.get(photo["url"]).status_code == 200


# Without scripts: the files come with the form of the step itself.


def whistled_and_arrived(world):
    incident, city = world.whistled(), actor(world.city_handler)
    for verb in (whistle.party_accept, whistle.party_arrive):
        verb(incident_id=incident.pk, actor=city, department=world.city)
    return incident


# step → (the case, who takes it, what is typed)
PHOTO_STEPS = {
    "respond": (lambda w: w.accepted(), "city_handler", {"result": "已清运"}),
    "handle_on_spot": (lambda w: w.pending(), "worker", {"result": "当场清走"}),
    "party_answer": (whistled_and_arrived, "city_handler", {"opinion": "路面已修复"}),
    "verify_pass": (lambda w: w.responded(), "command", {"note": "现场已看"}),
    "verify_fail": (lambda w: w.responded(), "command", {"reason": "还剩一半"}),
    "remark": (lambda w: w.responded(), "command", {"note": "附照片"}),
}


def test_every_step_with_photos_is_among_those_tried():
    with_photos = {n for n, act in ACTION_FORMS.items() if "photos" in act.form.base_fields}
    assert with_photos == set(PHOTO_STEPS)


@pytest.mark.parametrize("step", PHOTO_STEPS)
def test_without_scripts_photos_come_with_the_form_of_a_step(client, world, step):
    begin, who, typed = PHOTO_STEPS[step]
    incident = begin(world)
    client.force_login(getattr(world, who))
    address = f"/incidents/{incident.tracking_code}/do/{step}/"
    form = client.get(address).content.decode()
    assert 'enctype="multipart/form-data"' in form
    assert 'name="photo_files"' in form
    if step == "party_answer":
        typed = {**typed, "department": world.city.pk}
    answer = client.post(address, {**typed, "photo_files": [picture(), picture()]})
    assert answer.status_code == 302, answer.content.decode()
    assert incident.photos.count() == 2
    assert {photo.event.action for photo in incident.photos.all()} == {step}


def test_without_scripts_a_refused_file_keeps_the_words_and_the_good_photos(client, world):
    incident = world.accepted()
    client.force_login(world.city_handler)
    bad = SimpleUploadedFile("x.jpg", b"<?php ?>", content_type="image/jpeg")
    address = f"/incidents/{incident.tracking_code}/do/respond/"
    answer = client.post(address, {"result": "已清运三车", "photo_files": [picture(), bad]})
    page, photo = answer.content.decode(), Attachment.objects.get()
    assert answer.status_code == 422
    assert "已清运三车" in page
    assert f'value="{photo.pk}"' in page
    assert f'<noscript><img class="g-kept-photo" src="/files/{photo.pk}/"' in page
    assert client.post(address, {"result": "好", "photos": [photo.pk]}).status_code == 422
    assert client.post(address, {"result": "好了", "photos": [photo.pk]}).status_code == 302
    assert incident.photos.count() == 1


def test_without_scripts_more_files_than_allowed_are_not_dropped_in_silence(client, world):
    incident = world.accepted()
    client.force_login(world.city_handler)
    answer = client.post(
        f"/incidents/{incident.tracking_code}/do/respond/",
        {"result": "已清运", "photo_files": [picture() for _n in range(7)]},
    )
    assert answer.status_code == 422
    assert "最多 6 张" in answer.content.decode()
    assert Attachment.objects.count() == 6


def test_without_scripts_a_worker_reports_with_a_photo(client, world):
    client.force_login(world.worker)
    form = client.get("/worker/report/").content.decode()
    assert 'enctype="multipart/form-data"' in form
    answer = client.post("/worker/report/", {"text": "井盖丢了", "photo_files": [picture()]})
    assert answer.status_code == 302
    assert Attachment.objects.get().incident.text == "井盖丢了"
