"""One matter walked by everybody: reported, handled, found wanting, opened again, closed."""

import re

import pytest

from grids.factories import PASSWORD
from incidents.factories import World
from incidents.models import Incident, State

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


class Walk:
    """The world, and a browser page for each person in it."""

    def __init__(self, page_zh):
        self.world, self._open = World(), page_zh
        self.case = None

    def resident(self):
        return self._open(390)

    def staff(self, user, width=1440):
        page = self._open(width)
        page.goto("/login/")
        page.locator("[name=username]").fill(user.username)
        page.locator("[name=password]").fill(PASSWORD)
        page.locator("#sign-in button[type=submit]").click()
        page.wait_for_url(re.compile(r"^(?!.*login)"))
        return page

    def act(self, page, action, **fields):
        """Open the case, choose the step, fill it in and send it."""
        code = self.case.tracking_code
        page.goto(f"/incidents/{code}/do/{action}/")
        for folded in page.locator("form.c-form details:not([open]) > summary").all():
            folded.click()
        for name, value in fields.items():
            field = page.locator(f"form.c-form [name={name}]").first
            if field.evaluate("e => e.tagName") == "SELECT":
                field.select_option(value)
            else:
                field.fill(value)
        before = self.fresh().version
        with page.expect_response(lambda answer: answer.request.method == "POST"):
            page.locator("form.c-form .c-send").click()
        assert self.fresh().version == before + 1, action

    def rate(self, page, *, solved, score):
        page.goto("/track/")
        page.locator("[name=code]").fill(self.case.tracking_code)
        page.locator("form:has([name=code]) button[type=submit]").click()
        page.locator("a[href^='/rate/']").click()
        page.locator(f"label:has([name=solved][value={solved}])").click()
        page.locator(f"label:has([name=score][value={score}])").click()
        with page.expect_navigation():
            page.locator("form:has([name=score]) .btn-big").click()

    def fresh(self):
        return Incident.objects.get(pk=self.case.pk)

    def state(self):
        return self.fresh().state


def test_a_matter_goes_round_twice_until_the_resident_is_satisfied(page_zh):
    walk = Walk(page_zh)
    world = walk.world

    resident = walk.resident()
    resident.goto("/report/")
    resident.locator("[name=text]").fill("东关镇大王庄村口垃圾堆了三天没人清")
    resident.locator("[name=address]").fill("东关镇大王庄村")
    resident.locator("form[data-report] .btn-big").click()
    resident.locator("#code").wait_for()
    walk.case = Incident.objects.get()
    assert walk.case.village == world.village

    command = walk.staff(world.command)
    walk.act(command, "triage", category=str(world.rubbish.pk), grid=str(world.grid.pk))
    assert walk.state() == State.PENDING
    walk.act(command, "dispatch", owner=f"d{world.city.pk}")

    department = walk.staff(world.city_handler)
    department.goto("/department/")
    department.get_by_text("垃圾堆了三天").first.wait_for()
    walk.act(department, "accept")
    walk.act(department, "arrive")
    walk.act(department, "respond", result="已安排清运车拉走，并清扫路面。")

    walk.act(command, "verify_pass", note="照片清楚，同意")
    assert walk.state() == State.CALLBACK
    walk.rate(resident, solved="no", score="dissatisfied")
    assert (walk.state(), walk.fresh().round) == (State.PENDING, 2)

    command.goto("/command/")
    walk.act(command, "dispatch", owner=f"a{world.grid.pk}")
    worker = walk.staff(world.worker, width=390)
    worker.goto("/worker/")
    worker.get_by_text("垃圾堆了三天").first.wait_for()
    walk.act(worker, "accept")
    walk.act(worker, "respond", result="又清了一遍，放了新垃圾箱。")

    office = walk.staff(world.office)
    walk.act(office, "verify_pass", note="到场看过")
    walk.rate(resident, solved="yes", score="satisfied")
    assert walk.state() == State.CLOSED
    assert [c.score for c in walk.case.callbacks.order_by("round")] == ["dissatisfied", "satisfied"]
