"""The worker's phone in a real browser: no signal, a second press, a position refused."""

import pytest

from incidents.models import Incident
from incidents.tests.test_files import picture

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def phone(page_zh, world):
    """Open the worker's report; ``before`` runs in the page ahead of our own scripts."""

    def open_it(before="", **options):
        page = page_zh(390, **options)
        page.add_init_script(before)
        page_zh.sign_in(page, world.worker)
        page.goto("/worker/report/")
        return page

    return open_it


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.jpg"
    path.write_bytes(picture(size=(320, 240)).read())
    return path


def send(page):
    page.locator(".g-sticky-action button").click()


def test_without_signal_a_report_waits_on_the_phone_and_goes_by_itself(phone, page_zh, photo):
    page_zh.allow("ERR_INTERNET_DISCONNECTED")
    page = phone()
    page.set_input_files("[data-shots] input[type=file]", photo)
    page.locator("[data-shots] .g-shot").wait_for()
    page.fill("[name=text]", "桥头井盖丢了")
    page.context.set_offline(True)
    send(page)
    page.locator(".w-draft", has_text="桥头井盖丢了").wait_for()
    assert page.input_value("[name=text]") == ""
    assert not Incident.objects.exists()
    page.context.set_offline(False)
    page.locator(".g-toast").filter(has_text="已发送").wait_for()
    incident = Incident.objects.get()
    assert (incident.text, incident.photos.count()) == ("桥头井盖丢了", 1)
    assert page.locator(".w-draft").count() == 0


def test_a_second_press_makes_no_second_report(phone):
    page = phone()
    page.fill("[name=text]", "桥头井盖丢了")
    page.locator(".g-sticky-action button").dblclick()
    page.wait_for_url("**/worker/sent/**")
    assert Incident.objects.count() == 1


def test_what_was_typed_is_there_after_the_page_was_lost_and_gone_after_sending(phone):
    page = phone()
    page.locator("[name=text]").press_sequentially("桥头井盖丢了")
    page.reload()
    assert page.input_value("[name=text]") == "桥头井盖丢了"
    send(page)
    page.wait_for_url("**/worker/sent/**")
    page.goto("/worker/report/")
    assert page.input_value("[name=text]") == ""


FAILS = "navigator.geolocation.getCurrentPosition = (ok, fail) => fail({ code: %s });"


# What stops the position, as the page meets it → what is said.
WORKER_READS = {
    "": "定位未授权",  # Chromium refuses by itself
    FAILS % 2: "暂时无法定位",
    FAILS % 3: "定位超时",
    "Object.defineProperty(window, 'isSecureContext', { value: false });": "不支持定位",
}
RESIDENT_READS = {"": "定位未授权", FAILS % 2: "暂时无法定位", FAILS % 3: "定位超时"}


def test_without_a_position_the_phone_says_why_and_where_the_report_lies(phone, world):
    for before, said in WORKER_READS.items():
        page = phone(before)
        page.locator("[data-where]", has_text=said).wait_for()
        assert world.grid.name in page.inner_text("[data-where]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_a_resident_without_a_position_reads_what_to_do_instead(page_zh, world):
    for before, said in RESIDENT_READS.items():
        page = page_zh(390)
        page.add_init_script(before)
        page.goto("/report/")
        page.locator("[data-locate]").click()
        page.locator("[data-place-status]", has_text=said).wait_for()
        assert "地图" in page.inner_text("[data-place-status]")
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
