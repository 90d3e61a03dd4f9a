"""Each kind of channel is spoken to as its other side expects, and reaches nobody else."""

import hashlib
import hmac
from ipaddress import ip_address
from urllib.parse import parse_qs, urlsplit

import pytest

from core.channels import mail, robots, sms, wire
from core.channels.letters import Letter, NotNow, Refused, Unavailable, public_key, reason_words
from core.errors import Invalid
from core.models import Channel
from core.tests.gateways import Gateway, MailServer

LETTER = Letter("19900001234", "标题", "案件已派给您", "incident:7:3:dispatched")
Kind = Channel.Kind


@pytest.fixture
def gateway(settings):
    settings.OUTBOUND_PLAIN_HOSTS = ["127.0.0.1"]
    settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
    server = Gateway()
    yield server
    server.close()


def sms_channel(gateway, **options):
    channel = Channel(kind=Kind.SMS, address=f"{gateway.address}/send", options=options)
    channel.secrets = {"key": "k3y", "extra": {"account": "geshi"}}
    return channel


class TestSms:
    def test_the_gateway_gets_phone_text_key_and_what_else_it_wants(self, gateway):
        sms.send(sms_channel(gateway, phone_field="mobile", text_field="content"), LETTER)
        assert gateway.asked[0].path == "/send"
        assert gateway.asked[0].fields == {
            "account": "geshi",
            "mobile": "19900001234",
            "content": "案件已派给您",
            "key": public_key(LETTER.key),
        }

    def test_a_form_is_sent_as_a_form(self, gateway):
        sms.send(sms_channel(gateway, format="form"), LETTER)
        assert parse_qs(gateway.asked[0].body.decode())["text"] == ["案件已派给您"]

    def test_the_signature_can_be_counted_again(self, gateway):
        sms.send(sms_channel(gateway), LETTER)
        asked = gateway.asked[0]
        signed = asked.headers["X-Geshi-Timestamp"].encode() + b"." + asked.body
        expected = hmac.new(b"k3y", signed, hashlib.sha256).hexdigest()
        assert asked.headers["X-Geshi-Signature"] == f"sha256={expected}"

    def test_a_letter_sent_again_has_the_same_key(self, gateway):
        for _time in range(2):
            sms.send(sms_channel(gateway), LETTER)
        assert list(gateway.keys.values()) == [2]
        assert "incident" not in next(iter(gateway.keys))

    @pytest.mark.parametrize("status", [400, 404, 422])
    def test_a_refusal_of_the_message_is_final(self, gateway, status):
        gateway.status = status
        with pytest.raises(Refused):
            sms.send(sms_channel(gateway), LETTER)

    @pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
    def test_a_gateway_in_trouble_is_tried_again(self, gateway, status):
        gateway.status, gateway.headers = status, {"Retry-After": "90"}
        with pytest.raises(Unavailable) as refused:
            sms.send(sms_channel(gateway), LETTER)
        assert refused.value.retry_after == 90

    def test_success_is_what_the_answer_says(self, gateway):
        channel = sms_channel(gateway, success_field="code", success_value="0")
        sms.send(channel, LETTER)
        gateway.body = b'{"code": 41}'
        with pytest.raises(Refused, match="code:41"):
            sms.send(channel, LETTER)
        gateway.body = b"<html>"
        with pytest.raises(Unavailable, match="unreadable"):
            sms.send(channel, LETTER)


class TestTheWire:
    def test_a_redirect_is_not_followed(self, gateway):
        gateway.status, gateway.headers = 302, {"Location": f"{gateway.address}/elsewhere"}
        with pytest.raises(Unavailable, match="status:302"):
            sms.send(sms_channel(gateway), LETTER)
        assert len(gateway.asked) == 1

    def test_an_endless_answer_is_not_read_to_its_end(self, gateway):
        gateway.body = b"x" * (wire.LONGEST_ANSWER + 1)
        with pytest.raises(Unavailable, match="too_long"):
            sms.send(sms_channel(gateway), LETTER)

    def test_a_gateway_that_does_not_answer_is_given_up(self, gateway, monkeypatch):
        monkeypatch.setattr(wire, "READ_SECONDS", 0.05)
        gateway.hold.clear()
        with pytest.raises(Unavailable, match="no_answer"):
            sms.send(sms_channel(gateway), LETTER)

    def test_nobody_at_the_address_is_no_secret_told(self, gateway):
        channel = sms_channel(gateway)
        gateway.close()
        with pytest.raises(Unavailable) as wrong:
            sms.send(channel, LETTER)
        assert str(wrong.value) == "unreachable:"
        assert wrong.value.__cause__ is None

    @pytest.mark.parametrize(
        "number",
        [
            "127.0.0.1",
            "10.0.0.8",
            "172.16.3.4",
            "192.168.1.1",
            "100.64.0.1",
            "169.254.169.254",
            "0.0.0.0",
            "224.0.0.1",
            "::1",
            "fe80::1",
            "fd00::1",
            "::ffff:127.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
        ],
    )
    def test_private_numbers_are_not_reached(self, number):
        assert not wire.may_be_reached(ip_address(number))

    def test_public_numbers_are_and_those_of_a_named_network(self, settings):
        assert wire.may_be_reached(ip_address("1.2.4.8"))
        settings.OUTBOUND_NETWORKS = ["10.1.0.0/16"]
        assert wire.may_be_reached(ip_address("10.1.2.3"))
        assert not wire.may_be_reached(ip_address("10.2.2.3"))

    def test_a_name_that_leads_into_a_private_network_gets_no_word(self, gateway, settings):
        settings.OUTBOUND_PLAIN_HOSTS, settings.OUTBOUND_NETWORKS = ["localhost"], []
        channel = sms_channel(gateway)
        channel.address = channel.address.replace("127.0.0.1", "localhost")
        with pytest.raises(Unavailable, match="forbidden_address"):
            sms.send(channel, LETTER)
        assert gateway.asked == []

    @pytest.mark.parametrize(
        "address",
        [
            "",
            "sms.example.cn",
            "http://sms.example.cn/send",
            "ftp://sms.example.cn/",
            "file:///etc/passwd",
            "https://",
            "https://user:secret@sms.example.cn/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::1",
            "https://sms.example.cn:0/",
            "https://sms.example.cn:99999/",
        ],
    )
    def test_only_whole_https_addresses_are_taken(self, address):
        with pytest.raises(Invalid):
            wire.check_address(address)

    def test_proxies_of_the_surroundings_are_not_asked(self, gateway, monkeypatch):
        monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        sms.send(sms_channel(gateway), LETTER)
        assert len(gateway.asked) == 1


ROBOTS = {
    Kind.WECOM: "/cgi-bin/webhook/send?key=693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa",
    Kind.DINGTALK: "/robot/send?access_token=0123456789abcdef",
    Kind.FEISHU: "/open-apis/bot/v2/hook/0123abcd-4567-89ef",
}


class TestRobots:
    @pytest.mark.parametrize("kind", ROBOTS)
    def test_the_group_reads_the_text_and_its_mark(self, gateway, kind):
        robots.send(Channel(kind=kind, address=gateway.address + ROBOTS[kind]), LETTER)
        asked = gateway.asked[0]
        said = asked.fields.get("text") or asked.fields["content"]
        text = said.get("content") or said["text"]
        assert text == f"案件已派给您 [{public_key(LETTER.key)[:6]}]"
        assert asked.path == ROBOTS[kind]

    def test_dingtalk_is_signed(self, gateway):
        channel = Channel(kind=Kind.DINGTALK, address=gateway.address + ROBOTS[Kind.DINGTALK])
        channel.secrets = {"key": "SEC0123456789"}
        robots.send(channel, LETTER)
        assert {"timestamp", "sign"} <= parse_qs(urlsplit(gateway.asked[0].path).query).keys()

    @pytest.mark.parametrize("kind", ROBOTS)
    def test_a_refusal_with_status_200_is_a_refusal(self, gateway, kind):
        gateway.body = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
        with pytest.raises(Unavailable, match="code:93000"):
            robots.send(Channel(kind=kind, address=gateway.address + ROBOTS[kind]), LETTER)

    def test_a_robot_in_a_private_network_is_not_reached(self, gateway, settings):
        settings.OUTBOUND_NETWORKS = []
        address = gateway.address + ROBOTS[Kind.WECOM]
        with pytest.raises(Unavailable, match="bad_settings"):
            robots.send(Channel(kind=Kind.WECOM, address=address), LETTER)
        assert gateway.asked == []

    @pytest.mark.parametrize("kind", ROBOTS)
    def test_an_address_without_its_token_is_refused(self, kind):
        with pytest.raises(Invalid):
            robots.token_of(kind, "https://robots.example.cn/send")


class TestMail:
    @pytest.fixture
    def server(self, settings):
        settings.OUTBOUND_NETWORKS = ["127.0.0.0/8"]
        server = MailServer()
        yield server
        server.close()

    @pytest.fixture
    def channel(self, server):
        options = {
            "port": server.port,
            "security": "insecure",
            "sender": "grid@county.example.cn",
            "sender_name": "网格平台",
        }
        return Channel(kind=Kind.MAIL, address="127.0.0.1", options=options)

    def test_the_mail_arrives(self, server, channel):
        mail.send(channel, Letter("a@b.example.cn", "新任务", "案件已派给您", "k"))
        (sent,) = server.mails
        assert sent["X-Geshi-Key"] == public_key("k")
        assert sent["To"] == "a@b.example.cn"
        assert "案件已派给您" in sent.get_payload(decode=True).decode()

    def test_a_recipient_that_is_refused_is_tried_later(self, server, channel):
        server.refused.add("a@b.example.cn")
        with pytest.raises(NotNow):
            mail.send(channel, Letter("a@b.example.cn", "s", "t", "k"))

    def test_a_mail_server_in_a_private_network_is_not_reached(self, channel, settings):
        settings.OUTBOUND_NETWORKS = []
        with pytest.raises(Unavailable, match="forbidden_address"):
            mail.send(channel, Letter("a@b.example.cn", "s", "t", "k"))

    def test_a_mail_server_that_is_down_is_the_channels_trouble(self, server, channel):
        server.close()
        with pytest.raises(Unavailable, match="unreachable"):
            mail.send(channel, Letter("a@b.example.cn", "s", "t", "k"))


def test_a_reason_reads_in_the_readers_language():
    assert reason_words("status:503") == "对方返回状态码 503。"
    assert reason_words("ConnectionError: old") == "ConnectionError: old"
