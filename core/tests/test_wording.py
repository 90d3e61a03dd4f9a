"""Words of messages take placeholders of a fixed list and reach nothing behind them."""

import pytest

from core.channels import wording
from core.channels.events import Event
from core.errors import Invalid
from core.models import MessageTemplate

EVENT = Event(
    kind="test.one",
    label="one",
    subject="{code}",
    text="案件{code}在{place}",
    placeholders={"code": "number", "place": "where"},
    examples={"code": "AB12", "place": "东街"},
    values=lambda facts: {"code": facts["code"], "place": "东街"},
)


@pytest.mark.parametrize(
    "text",
    [
        "{code.__class__}",
        "{code!r}",
        "{code:>9}",
        "{code[0]}",
        "{}",
        "{0}",
        "{{code}}",
        "{code",
        "code}",
        "{CODE}",
        "{secret}",
        "{__class__}",
        "看\u202e{code}",
        "看\u200b",
        "",
        "x" * 501,
    ],
)
def test_anything_but_a_known_name_is_refused_on_saving(text):
    with pytest.raises(Invalid) as refused:
        wording.check(EVENT, subject="好", text=text)
    assert set(refused.value.errors) == {"text"}


def test_a_value_is_never_a_template():
    assert wording.fill("{code}", {"code": "{place} {0.__class__}", "place": "x"}) == (
        "{place} {0.__class__}"
    )


def test_a_value_is_one_short_line_with_nothing_invisible():
    assert wording.plain("a\r\nb\u202ec\x00") == "a b c"
    assert len(wording.plain("好" * 999)) == wording.LONGEST_VALUE
    link = "https://geshi.example.cn/" + "a" * 200
    assert wording.plain(link) == link


def test_the_preview_shows_the_examples():
    assert wording.preview(EVENT, "s", "案件{code}", "zh-hans") == ("s", "案件AB12")


@pytest.mark.django_db
class TestWordsInForce:
    def test_shipped_words_hold_until_others_are_put_in_their_place(self):
        assert wording.write(EVENT, "zh-hans", {"code": "Z9"}) == ("Z9", "案件Z9在东街")
        MessageTemplate.objects.create(
            kind="test.one", language="zh-hans", subject="新", text="请看{code}"
        )
        assert wording.write(EVENT, "zh-hans", {"code": "Z9"}) == ("新", "请看Z9")
        assert wording.write(EVENT, "en", {"code": "Z9"}) == ("Z9", "案件Z9在东街")
