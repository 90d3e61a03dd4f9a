"""Open cases like one's own are shown before a report is sent, with and without scripts."""

import pytest
from django.conf import settings

from grids.factories import person
from grids.models import Role
from incidents.factories import actor, as_
from incidents.forms.twins import choice_of
from incidents.models import Incident, Publication, Source, State
from incidents.services import twins

pytestmark = pytest.mark.django_db

TEXT = "村口垃圾堆成山了没人清"


@pytest.fixture
def lead(world):
    """A public open case at the middle of the first grid, with words nobody else may read."""
    world.rubbish.publication = Publication.PLACE
    world.rubbish.save()
    return world.pending(category=world.rubbish)


def at(world, grid=None):
    longitude, latitude = world.places.point_in(grid or world.grid)
    return {"lat": latitude, "lon": longitude}


def choice_in(page):
    """The value of the first case shown."""
    return page.partition('name="same_as" value="')[2].partition('"')[0]


class TestPublic:
    def test_likely_cases_are_shown_by_what_is_public(self, client, world, lead):
        page = client.post("/report/twins/", {"text": TEXT, **at(world)}).content.decode()
        assert world.rubbish.name in page
        assert f"{world.village} · {world.grid}" in page
        for private in (lead.text, lead.tracking_code):
            assert private not in page

    def test_no_case_that_is_not_public_is_shown_even_to_its_own_words(self, client, world, lead):
        world.rubbish.publication = Publication.NONE
        world.rubbish.save()
        sent = {"text": lead.text, **at(world), "category": world.rubbish.code}
        assert client.post("/report/twins/", sent).content.strip() == b""

    def test_another_place_shows_nothing(self, client, world, lead):
        sent = {"text": lead.text, **at(world, world.places.grids[4])}
        assert client.post("/report/twins/", sent).content.strip() == b""
        assert client.post("/report/twins/", {"text": lead.text}).content.strip() == b""
        outside = {"text": lead.text, "lat": "39.9", "lon": "116.4"}
        assert client.post("/report/twins/", outside).content.strip() == b""

    def test_past_the_limit_nothing_is_shown_and_the_report_goes_through(
        self, client, world, lead, monkeypatch
    ):
        monkeypatch.setitem(settings.RATE_LIMITS, "twins", (0, 60))
        assert client.post("/report/twins/", {"text": TEXT, **at(world)}).content.strip() == b""
        sent = client.post("/report/", {"text": TEXT, "ask_twins": "1", **at(world)})
        assert sent.url.startswith("/report/done/")

    def test_this_one_is_merged_at_once_and_has_its_own_code(self, client, world, lead):
        shown = client.post("/report/twins/", {"text": TEXT, **at(world)}).content.decode()
        sent = {"text": TEXT, "asked": "1", "same_as": choice_in(shown), **at(world)}
        done = client.post("/report/", sent)
        twin = Incident.objects.exclude(pk=lead.pk).get()
        assert done.url == f"/report/done/{twin.tracking_code}/"
        assert twin.merged_into == lead
        page = client.get(done.url).content.decode()
        assert "同一问题" in page
        assert lead.tracking_code not in page
        assert (
            "合并后的办理进度" in client.get(f"/track/?code={twin.tracking_code}").content.decode()
        )

    @pytest.mark.parametrize("value", ["", "x", "1:2:3"])
    def test_another_matter_or_a_made_up_choice_goes_its_own_way(self, client, world, lead, value):
        client.post("/report/", {"text": TEXT, "asked": "1", "same_as": value, **at(world)})
        assert Incident.objects.exclude(pk=lead.pk).get().state == State.REPORTED

    def test_a_choice_shown_to_a_colleague_is_no_choice_of_the_public(self, client, world, lead):
        value = choice_of(lead.pk, whose=world.worker.pk)
        client.post("/report/", {"text": TEXT, "same_as": value, **at(world)})
        assert Incident.objects.exclude(pk=lead.pk).get().state == State.REPORTED

    def test_without_scripts_it_is_a_step_before_sending_and_nothing_typed_is_lost(
        self, client, world, lead
    ):
        form = {"text": TEXT, "ask_twins": "1", "phone": "19900001234", **at(world)}
        page = client.post("/report/", form).content.decode()
        assert Incident.objects.count() == 1
        assert TEXT in page
        assert "19900001234" in page
        assert 'name="asked" value="1"' in page
        client.post("/report/", {**form, "asked": "1", "same_as": choice_in(page)})
        assert Incident.objects.exclude(pk=lead.pk).get().state == State.DUPLICATE


class TestWorker:
    def test_a_worker_reads_the_words_of_what_lies_in_the_own_grid(self, world, lead):
        form = {"text": TEXT, "area": world.grid.pk}
        page = as_(world.worker).post("/worker/report/twins/", form).content.decode()
        assert lead.text in page
        neighbour = as_(person(Role.GRID_WORKER, world.places.grids[4]))
        assert (
            neighbour.post("/worker/report/twins/", {"text": TEXT, **at(world)}).content.strip()
            == b""
        )

    def test_this_one_sent_by_the_phones_script_is_merged(self, world, lead):
        form = {"text": TEXT, "area": world.grid.pk}
        phone = as_(world.worker)
        shown = phone.post("/worker/report/twins/", form).content.decode()
        sent = phone.post(
            "/worker/report/",
            {**form, "same_as": choice_in(shown)},
            headers={"accept": "application/json"},
        )
        assert sent.status_code == 201
        twin = Incident.objects.get(tracking_code=sent.json()["code"])
        assert (twin.merged_into, twin.reporter) == (lead, world.worker)
        assert phone.get(sent.json()["url"]).status_code == 200

    def test_what_waited_on_the_phone_until_the_post_moved_goes_its_own_way(self, world, lead):
        elsewhere = person(Role.GRID_WORKER, world.places.grids[4])
        value = choice_of(lead.pk, whose=elsewhere.pk)
        sent = {"text": TEXT, "area": world.places.grids[4].pk, "same_as": value}
        as_(elsewhere).post("/worker/report/", sent)
        assert Incident.objects.exclude(pk=lead.pk).get().state == State.REPORTED

    def test_the_reporter_sees_the_merged_one_among_their_own(self, world, lead):
        sent = twins.Report(text=TEXT, source=Source.WORKER, area=world.grid)
        twin, _joined = twins.take_in_same(sent, lead_id=lead.pk, actor=actor(world.worker))
        assert twin.tracking_code in as_(world.worker).get("/worker/mine/").content.decode()


class TestDesk:
    """A second call about the same thing is told while the caller is still on the line."""

    def form(self, world):
        """What a caller says in nearly the same words; a desk knows no point."""
        return {
            "source": "hotline",
            "text": "村口垃圾堆了三天没人清理",
            "category": world.rubbish.pk,
            "address": f"{world.town.name}{world.village.name}",
            "name": "李四",
            "phone": "19900001234",
        }

    @pytest.mark.parametrize("role", [Role.COMMAND, Role.TOWN_ADMIN, Role.VILLAGE_OFFICE])
    def test_a_call_about_an_open_case_is_shown_it_and_merged(self, world, lead, role):
        place = {Role.COMMAND: world.county, Role.TOWN_ADMIN: world.town}.get(role, world.village)
        desk, form = as_(person(role, place)), self.form(world)
        shown = desk.post("/desk/report/twins/", form).content.decode()
        assert lead.text in shown
        done = desk.post("/desk/report/", {**form, "asked": "1", "same_as": choice_in(shown)})
        twin = Incident.objects.exclude(pk=lead.pk).get()
        assert done.url == f"/incidents/{twin.tracking_code}/"
        assert (twin.merged_into, twin.contact.phone) == (lead, "19900001234")

    def test_it_is_said_of_the_caller_not_of_whoever_writes_it_down(self, world, lead):
        shown = as_(world.command).post("/desk/report/twins/", self.form(world)).content.decode()
        assert "反映人仍有单独的查询码" in shown
        assert "您" not in shown
        assert "我反映" not in shown

    def test_a_town_s_village_is_read_from_the_words_said_and_may_be_declined(self, world, lead):
        """大王庄 stands in both towns: at a town's desk its own is meant."""
        desk = as_(world.town_admin)
        form = {**self.form(world), "address": "大王庄桥头"}
        shown = desk.post("/desk/report/twins/", form).content.decode()
        assert f"{world.town.name} · {world.village.name}" in shown
        assert lead.text in shown
        declined = {**form, "as_chosen": "1"}
        again = desk.post("/desk/report/twins/", declined).content.decode()
        assert 'name="as_chosen" value="1" checked' in again
        desk.post("/desk/report/", {**form, "asked": "1"})
        desk.post("/desk/report/", {**declined, "asked": "1"})
        first, second = Incident.objects.exclude(pk=lead.pk).order_by("pk")
        assert (first.village, first.found_by) == (world.village, "address")
        assert (second.area, second.found_by) == (world.town, "given")

    def test_the_county_s_desk_may_decline_a_place_too(self, world):
        form = {**self.form(world), "as_chosen": "1"}
        as_(world.command).post("/desk/report/", form)
        assert Incident.objects.get().found_by == "county"

    def test_without_scripts_it_is_a_step_before_writing_down(self, world, lead):
        desk, form = as_(world.command), {**self.form(world), "ask_twins": "1"}
        page = desk.post("/desk/report/", form).content.decode()
        assert Incident.objects.get() == lead
        assert form["text"] in page
        assert "李四" in page
        desk.post("/desk/report/", {**form, "asked": "1", "same_as": choice_in(page)})
        assert Incident.objects.exclude(pk=lead.pk).get().state == State.DUPLICATE

    @pytest.mark.parametrize("wrong", [{"photos": "gone"}, {"key": "x"}])
    def test_what_is_wrong_with_the_rest_does_not_hold_them_back(self, world, lead, wrong):
        answer = as_(world.command).post("/desk/report/twins/", {**self.form(world), **wrong})
        assert lead.text in answer.content.decode()

    def test_a_form_not_whole_yet_is_shown_none(self, world, lead):
        form = {**self.form(world), "phone": "12"}
        answer = as_(world.command).post("/desk/report/twins/", form)
        assert (answer.status_code, answer.content.strip()) == (200, b"")


def test_the_dispatcher_takes_a_repeat_out_on_its_page(world, lead):
    twin = world.report("另一处垃圾")
    command = as_(world.command)
    twins.merge(incident_id=twin.pk, actor=actor(world.command), into=lead)
    page = command.get(f"/incidents/{twin.tracking_code}/").content.decode()
    assert "取消并案" in page
    form = command.get(f"/incidents/{twin.tracking_code}/do/unmerge/").content.decode()
    assert "恢复到并案前的状态" in form
    done = command.post(f"/incidents/{twin.tracking_code}/do/unmerge/", {"reason": "不是一处"})
    assert done.status_code == 302
    assert Incident.objects.get(pk=twin.pk).state == State.REPORTED
    again = command.post(f"/incidents/{twin.tracking_code}/do/unmerge/", {"reason": "不是一处"})
    assert again.status_code == 409
