"""A worker's round on the phone in a real browser: nearest next, check-in, diary, need."""

import pytest
from django.contrib.gis.geos import Point
from PIL import Image

from grids import needs
from grids.models import NEVER, Household, Visit
from grids.tests.households import Ledger, today
from grids.tests.test_visits import picture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def world(db):
    ledger = Ledger()
    ledger.rule(7)
    longitude, latitude = ledger.county.point_in(ledger.grid)
    ledger.here = {"longitude": longitude, "latitude": latitude}
    for door, shift in (("远屋", 0.004), ("近屋", 0.0001)):
        household = ledger.household(address=door)
        place = Point(longitude + shift, latitude, srid=4326)
        Household.objects.filter(pk=household.pk).update(location=place, next_due_on=today())
    return ledger


@pytest.fixture
def taken(monkeypatch):
    """What was passed on as a case, instead of the floor above."""
    calls = []

    def take(**need):
        calls.append(need)
        return f"CASE{len(calls)}"

    monkeypatch.setattr(needs, "_takers", [take])
    return calls


@pytest.fixture
def phone(page_zh, world):
    page = page_zh(390, geolocation=world.here, permissions=["geolocation"])
    page_zh.sign_in(page, world.worker)
    page.goto("/visits/")
    return page


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "door.jpg"
    path.write_bytes(picture().read())
    return path


def test_the_round_leads_to_the_nearest_door_and_a_need_becomes_a_case(phone, world, taken, photo):
    first = phone.locator("#round .g-item").first
    first.locator("text=最近一户").wait_for()
    assert "近屋" in first.inner_text()
    first.click()
    phone.locator("[data-checkin]").click()
    phone.locator("[data-where]", has_text="已签到").wait_for()
    phone.locator("[name=diary]").fill("老人精神很好")
    phone.set_input_files("[data-shots] input[type=file]", photo)
    phone.locator("[data-shots] .g-shot").wait_for()
    phone.locator("[data-need]", has_text="代取药品").click()
    send = phone.locator(".g-sticky-action [type=submit]")
    assert "上报需求" in send.inner_text()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    send.dblclick()
    phone.wait_for_url("**/visits/done/**")
    visit = Visit.objects.get()
    assert (visit.household.address, visit.by, visit.diary) == (
        "近屋", world.worker, "老人精神很好",
    )  # fmt: skip
    assert visit.distance < 20
    assert visit.photos.count() == 1
    assert visit.case_code == "CASE1"
    assert taken[0]["area"] == world.unit
    phone.goto("/visits/")
    phone.locator("#round", has_text="远屋").wait_for()
    assert "近屋" not in phone.locator("#round").inner_text()


def test_without_signal_a_visit_waits_on_the_phone_and_goes_by_itself(phone, page_zh):
    page_zh.allow("ERR_INTERNET_DISCONNECTED")
    phone.locator("#round .g-item", has_text="远屋").click()
    phone.locator("[name=diary]").fill("一切都好")
    phone.context.set_offline(True)
    phone.locator(".g-sticky-action [type=submit]").click()
    phone.locator(".w-draft", has_text="远屋").wait_for()
    assert not Visit.objects.exists()
    phone.context.set_offline(False)
    phone.locator(".g-toast", has_text="已发送").wait_for()
    assert Visit.objects.get().diary == "一切都好"
    assert phone.locator(".w-draft").count() == 0


def test_one_tap_checks_in_over_the_list_and_a_second_saves(phone, world):
    near = phone.locator("#round .v-stop", has_text="近屋")
    near.locator("text=最近一户").wait_for()
    near.locator("[data-quick]").click()
    phone.locator("dialog[open] [data-where]", has_text="已签到").wait_for()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.locator("dialog[open] [type=submit]").click()
    near.locator("[data-quick]", has_text="已保存").wait_for()
    assert phone.locator("dialog[open]").count() == 0
    visit = Visit.objects.get()
    assert (visit.household.address, visit.met) == ("近屋", True)
    assert visit.distance < 20
    # The next door is the next tap, and nothing of the last one is left in the form.
    phone.locator("#round .v-stop", has_text="远屋").locator("[data-quick]").click()
    phone.locator("dialog[open] [data-where]", has_text="已签到").wait_for()
    phone.locator("dialog[open] [name=diary]").fill("家中有喜事")
    phone.locator("dialog[open] [type=submit]").click()
    phone.locator(".v-did", has_text="远屋").wait_for()
    assert [one.diary for one in Visit.objects.order_by("pk")] == ["", "家中有喜事"]
    near.locator("a.g-item").click()
    phone.wait_for_url(f"**/visits/done/{visit.pk}/")


def test_without_signal_every_door_of_the_round_can_be_visited(phone, page_zh, photo):
    page_zh.allow("ERR_INTERNET_DISCONNECTED")
    phone.locator("#round .v-stop").first.wait_for()
    phone.context.set_offline(True)
    for door in ("近屋", "远屋"):
        phone.locator("#round .v-stop", has_text=door).locator("a.g-item").click()
        phone.locator("dialog[open] [name=diary]").fill(f"{door}一切都好")
        phone.set_input_files("dialog[open] input[type=file]", photo)
        phone.locator("dialog[open] .g-shot").wait_for()
        phone.locator("dialog[open] [type=submit]").click()
        phone.locator(".w-draft", has_text=door).wait_for()
    phone.locator(".v-did", has_text="待发送").nth(1).wait_for()
    phone.context.set_offline(False)
    phone.locator(".w-drafts").wait_for(state="hidden")
    phone.locator(".v-did", has_text="已保存").nth(1).wait_for()
    sent = Visit.objects.order_by("household__address")
    assert [(one.diary, one.photos.count()) for one in sent] == [
        ("近屋一切都好", 1), ("远屋一切都好", 1),
    ]  # fmt: skip


def test_what_was_written_over_the_list_is_there_when_it_is_opened_again(phone):
    far = phone.locator("#round .v-stop", has_text="远屋").locator("[data-quick]")
    far.click()
    phone.locator("dialog[open] [name=diary]").press_sequentially("说到一半")
    phone.locator("dialog[open] [data-close]").click()
    phone.locator("#round .v-stop", has_text="近屋").locator("[data-quick]").click()
    assert phone.input_value("dialog[open] [name=diary]") == ""
    phone.locator("dialog[open] [data-close]").click()
    far.click()
    assert phone.input_value("dialog[open] [name=diary]") == "说到一半"


def test_more_photos_wait_than_the_browsers_small_store_holds(phone, page_zh, tmp_path):
    """A photo of gravel is a megabyte; a day without signal is many doors."""
    page_zh.allow("ERR_INTERNET_DISCONNECTED")
    noisy = tmp_path / "noisy.jpg"
    Image.effect_noise((1280, 1280), 120).convert("RGB").save(noisy, "JPEG", quality=90)
    phone.locator("#round .v-stop").first.wait_for()
    phone.context.set_offline(True)
    for door in ("近屋", "远屋"):
        phone.locator("#round .v-stop", has_text=door).locator("[data-quick]").click()
        phone.set_input_files("dialog[open] input[type=file]", [noisy] * 4)
        phone.locator("dialog[open] .g-shot").nth(3).wait_for()
        phone.locator("dialog[open] [type=submit]").click()
        phone.locator(".w-draft", has_text=door).wait_for()
    phone.context.set_offline(False)
    phone.locator(".w-drafts").wait_for(state="hidden", timeout=60_000)
    assert [one.photos.count() for one in Visit.objects.all()] == [4, 4]


def test_what_the_server_does_not_take_stays_readable_with_the_reason(phone, page_zh, world):
    page_zh.allow("ERR_INTERNET_DISCONNECTED")
    page_zh.allow("status of 409")
    phone.locator("#round .v-stop").first.wait_for()
    phone.context.set_offline(True)
    phone.locator("#round .v-stop", has_text="远屋").locator("[data-quick]").click()
    phone.locator("dialog[open] [name=diary]").fill("搬走前的话")
    phone.locator("dialog[open] [type=submit]").click()
    phone.locator(".w-draft", has_text="远屋").wait_for()
    Household.objects.filter(address="远屋").update(moved_out_on=today(), next_due_on=NEVER)
    phone.context.set_offline(False)
    refused = phone.locator(".w-draft", has_text="这户已迁出")
    refused.wait_for()
    assert "搬走前的话" in refused.inner_text()
    assert not Visit.objects.exists()
    phone.goto("/worker/")
    phone.locator(".w-draft", has_text="还有 1 条走访记录待发送").click()
    phone.wait_for_url("**/visits/")


def test_what_was_typed_at_a_door_is_there_after_the_page_was_lost(phone):
    phone.locator("#round .g-item", has_text="远屋").click()
    phone.locator("[name=diary]").press_sequentially("说到一半")
    phone.reload()
    assert phone.input_value("[name=diary]") == "说到一半"
