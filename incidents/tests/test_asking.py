"""A model outside changes only what is suggested, whatever it does; every question is on record."""

import json
import socket
import ssl
import threading
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from core.tests.gateways import Gateway
from incidents.factories import World, actor, category
from incidents.models import (
    AiCall,
    AiSwitch,
    Article,
    Event,
    Incident,
    ReporterContact,
    RetentionRule,
    State,
    Suggestion,
)
from incidents.services import asking, dispatching, retention
from incidents.services.knowledge import save_article
from incidents.services.triage import triage_new

pytestmark = pytest.mark.django_db

KEY = "sk-this-key-is-told-to-nobody"
ASKED = "我叫张小明，电话19900001234，老人看病的钱怎么报销"


def said(article="K1", answer="出院时在医院直接结算。", **more):
    content = json.dumps({"article": article, "answer": answer} | more, ensure_ascii=False)
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


@pytest.fixture
def gateway(settings):
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    server = Gateway(body=said())
    settings.AI_URL, settings.AI_KEY = f"{server.address}/v1", KEY
    settings.AI_MODEL, settings.AI_SECONDS = "county-7b", 10.0
    yield server
    server.close()


@pytest.fixture
def waiting():
    """A question with an article that is left to a person, because the item only suggests."""
    world = World()
    item = category(world.city, name="医保咨询", is_question=True, tier="ai")
    for code, title in (("K1", "住院费用怎么报销"), ("K2", "门诊费用怎么报销")):
        article = Article(
            code=code,
            title=title,
            body="出院时在医院直接结算，比例为70%。",
            keywords=["报销"],
            source="县医保服务窗口",
            published_on=date(2026, 3, 1),
            category=item,
        )
        save_article(article=article, actor=None)
    AiSwitch.objects.create(category=item, version=1, mode="suggest", reason="试行")
    incident = world.report(ASKED, category=item)
    ReporterContact.objects.update_or_create(incident=incident, defaults={"name": "老李头"})
    triage_new()
    incident.world = world
    return incident


def now(incident):
    """What a person is shown."""
    row = Suggestion.objects.get(incident=incident)
    return row.article.code, row.draft, row.drafted_by


def call():
    return AiCall.objects.get()


def test_without_settings_nothing_leaves(waiting, gateway, settings):
    settings.AI_URL = ""
    assert not asking.ask()
    assert not gateway.asked
    assert not AiCall.objects.exists()


def test_a_choice_among_the_articles_becomes_the_persons_suggestion(waiting, gateway):
    gateway.body = said("K2", "在医院直接结算，比例为70%。")
    assert asking.ask()
    assert now(waiting) == ("K2", "在医院直接结算，比例为70%。", "county-7b")
    assert Incident.objects.get(pk=waiting.pk).state == State.REPORTED
    assert not Event.objects.filter(incident=waiting, action="answer").exists()
    assert not asking.ask()  # once


def test_what_leaves_is_masked_and_asks_by_the_key(waiting, gateway):
    asking.ask()
    (asked,) = gateway.asked
    assert asked.path == "/v1/chat/completions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    text = asked.body.decode()
    for private in ("19900001234", "199", "张小明", "老李头", waiting.tracking_code):
        assert private not in text
    sent = json.loads(asked.fields["messages"][1]["content"])
    assert sent["question"] == call().question
    assert {one["article"] for one in sent["articles"]} == {"K1", "K2"}


def test_each_question_is_on_record_with_what_came_of_it(waiting, gateway):
    asking.ask()
    row = call()
    assert (row.incident, row.host, row.model) == (waiting, "127.0.0.1", "county-7b")
    assert (row.outcome, row.article, row.answer) == ("used", "K1", "出院时在医院直接结算。")
    assert row.ms is not None
    assert row.offered == ["K1", "K2"]
    assert KEY not in str(AiCall.objects.values().get())


def not_chat(body):
    return {"body": body}


@pytest.mark.parametrize(
    ("server", "outcome", "reason"),
    [
        ({"status": 500}, "failed", "status:500"),
        ({"status": 401}, "failed", "status:401"),
        ({"body": b"<html>busy</html>"}, "failed", "not_chat"),
        ({"body": b"[" * 60_000}, "failed", "not_chat"),
        ({"body": said() + b"[" * 60_000}, "failed", "not_chat"),
        ({"body": b'{"choices": []}'}, "failed", "not_chat"),
        ({"body": b"\xff\xfe"}, "failed", "not_chat"),
        ({"body": b"x" * 70_000}, "failed", "too_long"),
        ({"body": said("K9")}, "discarded", "unknown_article"),
        ({"body": said(["K1"])}, "discarded", "unknown_article"),
        ({"body": said(answer="")}, "discarded", "bad_answer"),
        ({"body": said(answer=7)}, "discarded", "bad_answer"),
        ({"body": said(answer="长" * 801)}, "discarded", "bad_answer"),
        ({"body": said(answer="可以报销90%")}, "discarded", "not_in_article"),
        ({"body": said(answer="请打19900009999")}, "discarded", "not_in_article"),
        ({"body": said(answer="见 www.example.com")}, "discarded", "not_in_article"),
        (
            {"body": json.dumps({"choices": [{"message": {"content": "你好"}}]}).encode()},
            "discarded",
            "not_json",
        ),
        ({"body": said(None, "")}, "none", ""),
    ],
)
def test_whatever_else_it_says_leaves_the_local_suggestion(
    waiting, gateway, server, outcome, reason
):
    for name, value in server.items():
        setattr(gateway, name, value)
    before = now(waiting)
    asking.ask()
    assert now(waiting) == before == ("K1", "", "")
    assert (call().outcome, call().reason) == (outcome, reason)


def test_words_that_cannot_be_stored_or_seen_are_left_out(waiting, gateway):
    gateway.body = said(answer="在医院\x00直接\ud800结算\u202e。")
    asking.ask()
    assert now(waiting)[1] == "在医院直接结算。"


def test_it_is_sent_nowhere_else(waiting, gateway):
    other = Gateway(body=said("K2"))
    gateway.status, gateway.headers = 307, {"Location": f"{other.address}/v1/chat/completions"}
    asking.ask()
    other.close()
    assert not other.asked
    assert (call().outcome, call().reason) == ("failed", "status:307")


def test_a_network_the_installation_has_not_opened_is_not_reached(waiting, gateway, settings):
    settings.OUTBOUND_NETWORKS = []
    asking.ask()
    assert not gateway.asked
    assert (call().outcome, call().reason) == ("failed", "forbidden_address")


def test_a_slow_model_is_given_up(waiting, gateway, settings):
    settings.AI_SECONDS = 0.2
    gateway.hold.clear()
    asking.ask()
    assert (call().outcome, call().reason) == ("failed", "no_answer")


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"])
def test_one_that_drips_is_given_up_too(waiting, gateway, settings, head):
    """Each byte comes within the time for a byte; the whole never does."""
    settings.AI_SECONDS = 0.3
    door = socket.create_server(("127.0.0.1", 0))
    settings.AI_URL = f"http://127.0.0.1:{door.getsockname()[1]}/v1"
    over = threading.Event()

    def drip():
        taken, _who = door.accept()
        with taken:
            taken.sendall(head)
            while not over.wait(0.05):
                try:
                    taken.sendall(b"H")
                except OSError:
                    return

    server = threading.Thread(target=drip, daemon=True)
    server.start()
    asking.ask()
    over.set()
    server.join(10)
    door.close()
    assert call().outcome == "failed"
    assert call().ms < 5_000


def test_a_certificate_nobody_vouches_for_is_not_talked_to(waiting, gateway, settings, tmp_path):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(_certificate(tmp_path))
    server = gateway._server
    server.socket = context.wrap_socket(server.socket, server_side=True)
    settings.AI_URL = gateway.address.replace("http:", "https:") + "/v1"
    asking.ask()
    assert not gateway.asked
    assert (call().outcome, call().reason) == ("failed", "unreachable")


def _certificate(folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    start = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start - timedelta(days=1))
        .not_valid_after(start + timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    file = folder / "server.pem"
    file.write_bytes(secret + made.public_bytes(serialization.Encoding.PEM))
    return file


def test_after_three_failures_it_is_left_alone_for_a_while(waiting, gateway):
    gateway.status = 503
    start = timezone.now()
    for n in range(4):
        Suggestion.objects.update(asked_at=None)
        asked = asking.ask(now=start + timedelta(seconds=n))
        assert asked == (n < 3)
    assert len(gateway.asked) == 3
    Suggestion.objects.update(asked_at=None)
    gateway.status = 200
    assert asking.ask(now=start + timedelta(minutes=6))
    assert now(waiting)[2] == "county-7b"


def test_an_answer_that_comes_when_a_person_has_decided_changes_nothing(waiting, gateway):
    model = asking.from_settings()
    row, offered = asking._claim(model, timezone.now())
    dispatching.triage(
        incident_id=waiting.pk, actor=actor(waiting.world.command), category=waiting.world.rubbish
    )
    asking._finish(row, *asking._asked(model, row.question, offered), model)
    assert (call().outcome, now(waiting)[1]) == ("late", "")


def test_a_process_killed_while_asking_leaves_the_question_on_record(waiting, gateway):
    asking._claim(asking.from_settings(), timezone.now())
    assert call().outcome == ""
    assert not asking.ask()  # and nothing is asked twice


def test_a_possible_emergency_is_not_talked_about_outside(waiting, gateway):
    Incident.objects.update(urgency=2)
    assert not asking.ask()


def test_while_one_process_asks_no_other_does(waiting, gateway):
    asking.cache.add(asking._ONE_AT_A_TIME, 1, timeout=30)
    assert not asking.ask()
    asking.cache.delete(asking._ONE_AT_A_TIME)


# The record.


def refused(statement, values=()):
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_what_is_on_record_cannot_be_rewritten(waiting, gateway):
    row, _offered = asking._claim(asking.from_settings(), timezone.now())
    refused("UPDATE incidents_aicall SET question = 'x', outcome = 'used'")
    AiCall.objects.filter(pk=row.pk).update(outcome="used", ms=3)
    refused("UPDATE incidents_aicall SET answer = 'x'")
    refused("DELETE FROM incidents_aicall")


def test_it_is_erased_when_its_rule_says_so_and_not_before(waiting, gateway):
    asking._claim(asking.from_settings(), timezone.now() - timedelta(days=40))
    Suggestion.objects.update(asked_at=None, created_at=timezone.now())
    asking.ask()
    retention.apply_rules()
    assert AiCall.objects.count() == 2  # without a rule nothing goes
    RetentionRule.objects.create(what="ai_call", days=30, valid_from="2020-01-01", reason="够用")
    assert retention.apply_rules()["ai_call"] == 1
    assert call().at > timezone.now() - timedelta(days=1)
