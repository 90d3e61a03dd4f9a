"""Channels, words, dead letters and one's own choice: who may, what is shown, what is told."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from core.channels import events
from core.channels.events import Event, Group
from core.errors import Conflict, Invalid, NotAllowed
from core.models import AuditEntry, Channel, MessageTemplate, OutboxMessage
from core.services import sending
from core.tests.gateways import Gateway
from grids.factories import DepartmentFactory, person, small_county
from grids.models import MessageSettings, Posting, Role, Subscription
from grids.services import channels, telling
from grids.services.channels import ChannelFields

pytestmark = pytest.mark.django_db
State = OutboxMessage.State
PHONE = "19900001234"
WEBHOOK = "https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0"


@pytest.fixture(autouse=True)
def _event(monkeypatch):
    monkeypatch.setattr(events, "_events", dict(events._all()))
    events.register(
        Event(
            kind="test.work",
            label="测试事项",
            subject="{code}",
            text="案件{code}已派给您",
            placeholders={"code": "编号"},
            examples={"code": "AB12"},
            group=Group.WORK,
            values=lambda facts: {"code": str(facts["code"])},
        )
    )


@pytest.fixture
def county():
    return small_county()


@pytest.fixture
def admin(county):
    user = person(Role.SYSTEM_ADMIN, county.county)
    user.phone = PHONE
    user.save()
    return user


@pytest.fixture
def gateway(settings):
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    server = Gateway()
    yield server
    server.close()


def client_of(user) -> Client:
    client = Client()
    client.force_login(user, backend="grids.backends.PostingBackend")
    return client


def sms(gateway, *, active=True) -> Channel:
    made = Channel(
        name="短信", kind=Channel.Kind.SMS, active=active, address=f"{gateway.address}/very-secret"
    )
    made.secrets = {"key": "signing-key", "extra": {"account": "geshi-account"}}
    made.save()
    return made


def robot(**more) -> Channel:
    values = {"name": "指挥群", "kind": Channel.Kind.WECOM, "active": True, "address": WEBHOOK}
    return Channel.objects.create(**(values | more))


def tell(n=1, **whom):
    addressed = telling.Addressed(**whom)
    letters = telling.letters(
        event="test.work",
        key=f"k{n}",
        facts={"code": n},
        addressed=addressed,
        listeners=telling.Listeners([addressed]),
    )
    sending.post(letters)
    return len(letters)


class TestSettingUp:
    FIELDS = ChannelFields(
        name="短信", address="https://sms.example.cn/send", secrets={"key": "k", "extra": None}
    )

    def test_a_new_channel_is_off(self, admin):
        made = channels.put_channel(actor=admin, kind="sms", fields=self.FIELDS)
        assert not made.active
        assert AuditEntry.objects.get(action="channel.saved").data["name"] == "短信"

    @pytest.mark.parametrize("role", [Role.COMMAND, Role.AUDIT_ADMIN, Role.SECURITY_ADMIN])
    def test_nobody_but_the_system_administrator_keeps_channels(self, county, gateway, role):
        other, channel = person(role, county.county), sms(gateway)
        for act in (
            lambda: channels.put_channel(actor=other, kind="sms", fields=self.FIELDS),
            lambda: channels.switch(actor=other, channel_id=channel.pk, on=True),
            lambda: channels.try_channel(actor=other, channel_id=channel.pk),
            lambda: channels.put_template(
                actor=other, kind="trial", language="en", subject="s", text="t"
            ),
            lambda: channels.resend(actor=other, ids=[1]),
        ):
            with pytest.raises(NotAllowed):
                act()

    def test_address_and_secrets_stand_encrypted(self, gateway):
        sms(gateway)
        with connection.cursor() as cursor:
            cursor.execute("SELECT address, secret FROM core_channel")
            stored = str(cursor.fetchone())
        assert "very-secret" not in stored
        assert "signing-key" not in stored

    def test_no_page_shows_what_is_secret(self, admin, gateway):
        made = sms(gateway)
        robot()
        client = client_of(admin)
        for path in ("/messages/channels/", f"/messages/channels/{made.pk}/"):
            page = client.get(path).content.decode()
            for secret in ("very-secret", "signing-key", "geshi-account"):
                assert secret not in page
        audit = str(list(AuditEntry.objects.values_list("data", flat=True)))
        assert "signing-key" not in audit

    def test_what_is_left_empty_is_kept(self, admin, gateway):
        made = sms(gateway)
        data = {"seen": 0, "name": "短信二", "format": "json"}
        data |= {"phone_field": "mobile", "text_field": "text", "key_field": "key"}
        answer = client_of(admin).post(f"/messages/channels/{made.pk}/", data)
        assert answer.status_code == 302
        made.refresh_from_db()
        assert (made.name, made.options["phone_field"]) == ("短信二", "mobile")
        assert made.address.endswith("/very-secret")
        assert made.secrets["key"] == "signing-key"

    def test_a_dash_takes_it_away(self, admin, gateway):
        made = sms(gateway)
        data = {"seen": 0, "name": "短信", "format": "json", "extra": "-"}
        data |= {"phone_field": "phone", "text_field": "text", "key_field": "key"}
        client_of(admin).post(f"/messages/channels/{made.pk}/", data)
        made.refresh_from_db()
        assert made.secrets == {"key": "signing-key"}

    @pytest.mark.parametrize(
        ("data", "words"),
        [
            ({"address": "http://sms.example.cn/"}, "https://"),
            ({"address": "https://10.0.0.1/send"}, "不允许访问"),
            ({"key": "-"}, "签名密钥"),
            ({"quiet_from": "21:00"}, "开始和结束"),
            ({"quiet_from": "21:00", "quiet_until": "21:00"}, "相同"),
            ({"extra": "no equals sign"}, "名称=值"),
            ({"phone_field": "a b"}, "字母"),
            ({"name": ""}, ""),
        ],
    )
    def test_a_bad_entry_is_told_and_nothing_typed_is_lost(self, admin, gateway, data, words):
        made = sms(gateway)
        sent = {"seen": 0, "name": "新名字", "format": "json", "phone_field": "phone"}
        sent |= {"text_field": "text", "key_field": "key"} | data
        answer = client_of(admin).post(f"/messages/channels/{made.pk}/", sent)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert words in page
        assert sent["name"] in page
        made.refresh_from_db()
        assert made.name == "短信"

    def test_two_at_once_one_wins_and_the_other_reads_so(self, admin, gateway):
        made = sms(gateway)
        channels.put_channel(
            actor=admin, kind="sms", fields=self.FIELDS, channel_id=made.pk, seen=0
        )
        with pytest.raises(Conflict):
            channels.put_channel(
                actor=admin, kind="sms", fields=self.FIELDS, channel_id=made.pk, seen=0
            )

    def test_every_kind_has_its_page(self, admin):
        client = client_of(admin)
        for kind in Channel.Kind.values:
            assert client.get(f"/messages/channels/new/{kind}/").status_code == 200
        assert client.get("/messages/channels/new/fax/").status_code == 404


class TestTrying:
    def test_a_trial_reaches_the_administrator_though_the_channel_is_off(self, admin, gateway):
        made = sms(gateway, active=False)
        client = client_of(admin)
        client.post(f"/messages/channels/{made.pk}/do/try/")
        assert "hx-get" in client.get(f"/messages/channels/{made.pk}/").content.decode()
        assert sending.send_due(now=timezone.now() + timedelta(seconds=1)) == 1
        assert gateway.asked[0].fields["phone"] == PHONE
        page = client.get(f"/messages/channels/{made.pk}/trials/", headers={"HX-Request": "true"})
        assert "hx-get" not in page.content.decode()
        assert PHONE not in page.content.decode()

    def test_without_a_phone_on_file_it_says_so(self, admin, gateway):
        admin.phone = ""
        admin.save()
        with pytest.raises(Invalid):
            channels.try_channel(actor=admin, channel_id=sms(gateway).pk)
        assert not OutboxMessage.objects.exists()


class TestDeadLetters:
    @pytest.fixture
    def dead(self, admin, gateway):
        channel = sms(gateway)
        Subscription.objects.create(channel=channel, group=Group.WORK, user=admin)
        for n in range(3):
            tell(n, user_id=admin.pk)
        gateway.status = 422
        sending.send_due(now=timezone.now() + timedelta(seconds=1))
        gateway.status = 200
        return channel

    def test_the_page_names_reason_and_person_and_no_number(self, admin, dead):
        page = client_of(admin).get("/messages/").content.decode()
        assert "对方返回状态码 422" in page
        assert admin.display_name in page
        assert "测试事项" in page
        assert PHONE not in page

    def test_one_is_sent_again(self, admin, dead, gateway):
        one = OutboxMessage.objects.first()
        client_of(admin).post("/messages/resend/", {"message": one.pk, "state": "dead"})
        assert sending.send_due(now=timezone.now() + timedelta(minutes=1)) == 1
        assert OutboxMessage.objects.filter(state=State.DEAD).count() == 2

    def test_all_of_a_filter_are_sent_again_and_on_record(self, admin, dead):
        newest = OutboxMessage.objects.latest("pk").pk
        asked = {"state": "dead", "channel": dead.pk, "event": "test.work", "up_to": newest}
        answer = client_of(admin).post("/messages/resend/", asked, follow=True)
        assert "没有发送失败的消息" in answer.content.decode()
        assert sending.send_due(now=timezone.now() + timedelta(minutes=1)) == 3
        assert AuditEntry.objects.get(action="outbox.resend").data["count"] == 3

    def test_what_died_after_the_page_was_read_is_left_alone(self, admin, dead):
        oldest = OutboxMessage.objects.earliest("pk").pk
        client_of(admin).post("/messages/resend/", {"state": "dead", "up_to": oldest})
        assert OutboxMessage.objects.filter(state=State.DEAD).count() == 2

    def test_dead_messages_of_the_house_itself_stand_there_too(self, admin):
        OutboxMessage.objects.create(topic="notice", key="n", state=State.DEAD, last_error="E: x")
        assert "平台内部" in client_of(admin).get("/messages/").content.decode()

    def test_the_page_asks_a_fixed_number_of_questions(self, admin, dead):
        client = client_of(admin)
        client.get("/messages/")
        with CaptureQueriesContext(connection) as few:
            client.get("/messages/?state=dead")
        for n in range(10, 40):
            OutboxMessage.objects.create(
                topic="letter",
                key=f"x{n}",
                channel=dead,
                event="test.work",
                state=State.DEAD,
                payload={"to": {"who": "person", "id": admin.pk}, "facts": {}},
            )
        with CaptureQueriesContext(connection) as many:
            client.get("/messages/?state=dead")
        assert len(many) == len(few)

    @pytest.mark.parametrize("query", ["?state=x", "?channel=abc", "?event=no", "?channel=9" * 3])
    def test_odd_filters_are_no_error(self, admin, query):
        assert client_of(admin).get(f"/messages/{query}").status_code == 200


class TestWords:
    ADDRESS = "/messages/words/test.work/zh-hans/"

    def test_others_take_the_place_of_the_shipped_ones_and_go_again(self, admin):
        client = client_of(admin)
        assert "案件{code}已派给您" in client.get(self.ADDRESS).content.decode()
        client.post(self.ADDRESS, {"seen": 0, "subject": "{code}", "text": "请办理{code}"})
        assert MessageTemplate.objects.get().text == "请办理{code}"
        client.post(self.ADDRESS, {"shipped": "1"})
        assert not MessageTemplate.objects.exists()
        acts = AuditEntry.objects.filter(action__startswith="template.").values_list("action")
        assert [act for (act,) in acts.order_by("pk")] == ["template.saved", "template.dropped"]

    def test_a_preview_saves_nothing(self, admin):
        data = {"seen": 0, "subject": "s", "text": "请办理{code}", "preview": "1"}
        page = client_of(admin).post(self.ADDRESS, data).content.decode()
        assert "请办理AB12" in page
        assert not MessageTemplate.objects.exists()

    @pytest.mark.parametrize("text", ["{code.__class__}", "{secret}", "{code"])
    def test_a_placeholder_that_is_none_is_refused_and_stays_typed(self, admin, text):
        data = {"seen": 0, "subject": "s", "text": text}
        answer = client_of(admin).post(self.ADDRESS, data)
        assert answer.status_code == 422
        assert text in answer.content.decode()
        assert not MessageTemplate.objects.exists()

    def test_two_at_once_one_wins(self, admin):
        client = client_of(admin)
        client.post(self.ADDRESS, {"seen": 0, "subject": "s", "text": "一"})
        answer = client.post(self.ADDRESS, {"seen": 0, "subject": "s", "text": "二"})
        assert answer.status_code == 409
        assert "已被他人修改" in answer.content.decode()
        assert MessageTemplate.objects.get().text == "一"

    def test_unknown_events_and_languages_are_not_there(self, admin):
        client = client_of(admin)
        assert client.get("/messages/words/no.such/zh-hans/").status_code == 404
        assert client.get("/messages/words/test.work/fr/").status_code == 404


class TestOwnChoice:
    def test_a_person_chooses_kinds_by_channel(self, admin, gateway):
        channel = sms(gateway)
        data = {"language": "en", "email": "a@b.example.cn", "wanted": [f"{channel.pk}:work"]}
        client = client_of(admin)
        client.post("/account/messages/", data)
        chosen = Subscription.objects.get()
        assert (chosen.user, chosen.group) == (admin, Group.WORK)
        assert MessageSettings.objects.get().language == "en"
        client.post("/account/messages/", {"language": "en"})
        assert not Subscription.objects.exists()

    def test_without_a_phone_sms_cannot_be_chosen_and_nothing_is_lost(self, county, gateway):
        worker, channel = person(Role.GRID_WORKER, county.grids[0]), sms(gateway)
        data = {"language": "zh-hans", "wanted": [f"{channel.pk}:work"], "email": "x@y.example.cn"}
        answer = client_of(worker).post("/account/messages/", data)
        page = answer.content.decode()
        assert answer.status_code == 422
        assert "名册中没有您的手机号" in page
        assert "x@y.example.cn" in page
        assert "checked" in page
        assert not MessageSettings.objects.exists()

    def test_group_chats_and_channels_that_are_off_cannot_be_chosen(self, admin, gateway):
        for channel in (robot(), sms(gateway, active=False)):
            data = {"language": "zh-hans", "wanted": [f"{channel.pk}:work"]}
            assert client_of(admin).post("/account/messages/", data).status_code == 422
        assert not Subscription.objects.exists()

    def test_the_address_stands_encrypted(self, admin, gateway):
        sms(gateway)
        client_of(admin).post("/account/messages/", {"language": "en", "email": "a@b.example.cn"})
        with connection.cursor() as cursor:
            cursor.execute("SELECT email FROM grids_messagesettings")
            assert "example" not in cursor.fetchone()[0]

    def test_without_channels_the_page_says_so(self, admin):
        page = client_of(admin).get("/account/messages/").content.decode()
        assert "目前只有站内提醒" in page


class TestTelling:
    @pytest.fixture
    def worker(self, county):
        user = person(Role.GRID_WORKER, county.grids[0])
        user.phone = PHONE
        user.save()
        return user

    @pytest.fixture
    def channel(self, gateway, worker):
        channel = sms(gateway)
        Subscription.objects.create(channel=channel, group=Group.WORK, user=worker)
        return channel

    def go(self):
        return sending.send_due(now=timezone.now() + timedelta(seconds=1))

    def test_who_holds_the_role_at_the_place_and_chose_it_is_told(
        self, county, channel, worker, gateway
    ):
        assert tell(1, role=Role.GRID_WORKER, area_id=county.grids[0].pk) == 1
        assert self.go() == 1
        assert gateway.asked[0].fields["text"] == "案件1已派给您"

    def test_nobody_else_is(self, county, channel, gateway):
        neighbour = person(Role.GRID_WORKER, county.grids[1])
        Subscription.objects.create(channel=channel, group=Group.DEADLINE, user=neighbour)
        assert tell(1, role=Role.GRID_WORKER, area_id=county.grids[1].pk) == 0
        assert tell(2, role=Role.GRID_CHIEF, area_id=county.grids[0].pk) == 0

    def test_a_department_and_a_person_are_told(self, county, channel, worker, gateway):
        department = DepartmentFactory()
        handler = person(Role.DEPARTMENT_HANDLER, department)
        Subscription.objects.create(channel=channel, group=Group.WORK, user=handler)
        assert tell(1, department_id=department.pk) == 1
        assert tell(2, user_id=worker.pk) == 1

    def test_telling_twice_sends_once(self, county, channel, worker):
        for _time in range(2):
            tell(1, user_id=worker.pk)
        assert OutboxMessage.objects.count() == 1

    def test_whoever_left_the_post_before_it_went_is_not_told(
        self, county, channel, worker, gateway
    ):
        tell(1, role=Role.GRID_WORKER, area_id=county.grids[0].pk)
        Posting.objects.filter(user=worker).update(
            valid_from="2026-01-01", valid_to=timezone.localdate()
        )
        assert self.go() == 0
        assert OutboxMessage.objects.get().last_error == "left:"
        assert gateway.asked == []

    def test_whoever_changed_their_mind_is_not_told(self, channel, worker, gateway):
        tell(1, user_id=worker.pk)
        Subscription.objects.all().delete()
        assert self.go() == 0
        assert OutboxMessage.objects.get().last_error == "not_wanted:"

    def test_a_closed_account_is_not_told(self, channel, worker):
        tell(1, user_id=worker.pk)
        worker.is_active = False
        worker.save()
        assert self.go() == 0

    def test_a_person_reads_their_own_language(self, channel, worker, gateway):
        MessageSettings.objects.create(user=worker, language="en")
        MessageTemplate.objects.create(
            kind="test.work", language="en", subject="s", text="Case {code} is yours"
        )
        tell(7, user_id=worker.pk)
        self.go()
        assert gateway.asked[0].fields["text"] == "Case 7 is yours"

    def test_a_group_hears_what_is_told_in_its_area_and_below(self, county, admin):
        channel = robot()
        channels.add_group(
            actor=admin,
            channel_id=channel.pk,
            groups=[Group.WORK],
            role=Role.GRID_WORKER,
            area=county.towns[0],
        )
        assert tell(1, role=Role.GRID_WORKER, area_id=county.grids[0].pk) == 1
        assert tell(2, role=Role.GRID_WORKER, area_id=county.grids[4].pk) == 0
        assert tell(3, role=Role.GRID_CHIEF, area_id=county.grids[0].pk) == 0

    def test_a_group_hears_of_the_village_that_took_its_own_in(self, county, admin):
        channel = robot()
        old, new = county.villages[:2]
        for area in (old, new):
            channels.add_group(
                actor=admin,
                channel_id=channel.pk,
                groups=[Group.WORK],
                role=Role.VILLAGE_OFFICE,
                area=area,
            )
        channels.add_group(
            actor=admin,
            channel_id=channel.pk,
            groups=[Group.ALARM],
            role=Role.VILLAGE_OFFICE,
            area=old,
        )
        told = telling.follow_areas({old.pk: new.pk}, on=timezone.localdate(), actor=admin)
        assert told == {"group_chats": 2}
        lines = Subscription.objects.values_list("area_id", "group")
        assert sorted(lines) == [(new.pk, Group.ALARM), (new.pk, Group.WORK)]

    @pytest.mark.parametrize("many", [1, 4])
    def test_listeners_of_many_cost_what_those_of_one_do(
        self, county, many, django_assert_num_queries
    ):
        Subscription.objects.create(
            channel=robot(), group=Group.WORK, role=Role.GRID_WORKER, area=county.county
        )
        with django_assert_num_queries(3):
            telling.Listeners(
                telling.Addressed(role=Role.GRID_WORKER, area_id=grid.pk)
                for grid in county.grids[:many]
            )

    def test_the_group_page_takes_lines_and_removes_them(self, county, admin):
        channel = robot()
        client, address = client_of(admin), f"/messages/channels/{channel.pk}/"
        data = {"groups": ["alarm", "deadline"], "role": "command"}
        answer = client.post(f"{address}do/group/", data | {"area_code": "999999"})
        assert answer.status_code == 422
        client.post(f"{address}do/group/", data | {"area_code": county.county.code})
        assert Subscription.objects.count() == 2
        line = Subscription.objects.first()
        client.post(f"{address}do/ungroup/", {"line": line.pk})
        assert Subscription.objects.count() == 1
