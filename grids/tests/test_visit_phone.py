"""A worker's round on the phone in a real browser: nearest next, check-in, diary, need."""

import pytest
from django.contrib.gis.geos import Point

from grids import needs
from grids.models import Household, Visit
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


def test_what_was_typed_at_a_door_is_there_after_the_page_was_lost(phone):
    phone.locator("#round .g-item", has_text="远屋").click()
    phone.locator("[name=diary]").press_sequentially("说到一半")
    phone.reload()
    assert phone.input_value("[name=diary]") == "说到一半"
