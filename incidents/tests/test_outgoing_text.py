"""What leaves this house in a question points to nobody."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incidents.outgoing_text import masked


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("请打19900001234找我", "请打[号码]找我"),
        ("电话 199 0000 1234，急", "电话 [号码],急"),
        ("電話：１９９－００００－１２３４", "電話:[号码]"),
        ("电话一九九零零零零一二三四", "电话[号码]"),
        ("电话①⑨⑨⓪⓪⓪⓪①②③④", "电话[号码]"),
        ("座机0394-5550123转8", "座机[号码]转8"),
        ("身份证410000199001010000", "身份证[号码]"),
        ("身份证41000019900101001X，", "身份证[号码],"),
        ("尾号199****1234", "尾号[号码]"),
        ("发到wang@example.com", "发到[邮箱]"),
        ("看https://example.com/u/77?id=3这里", "看[邮箱]这里"),
        ("加微信geshi_001", "加微信[账号]"),
        ("车牌豫A·12345乱停", "车牌[车牌]乱停"),
        ("豫PD12345占道", "[车牌]占道"),
        ("我叫张小明，问低保", "我叫[姓名],问低保"),
        ("我是李红的女儿", "我是[姓名]的女儿"),
        ("联系人：欧阳建国 在家", "联系人:[姓名] 在家"),
        ("找王建国主任", "找[姓名]主任"),
        ("住在翠园小区3号楼2单元501", "住在翠园小区[门牌]"),
        ("朱湾村十二号门口", "朱湾村[门牌]门口"),
        ("住幸福里3-2-501", "住幸福里[门牌]"),
    ],
)
def test_everything_that_points_to_somebody_is_taken_out(text, left):
    assert masked(text) == left


@pytest.mark.parametrize(
    "text",
    [
        "我是残疾人,补贴怎么领",
        "我是低保户怎么申请",
        "本人是退休教师,问养老金",
        "8月5日去过,上月15号也去过,要2000元",
        "107国道有坑",
        "拨打12345或者120没人接",
    ],
)
def test_what_points_to_nobody_stays(text):
    assert masked(text) == text


def test_the_reporters_own_name_leaves_in_no_words():
    assert "建国" not in masked("这里建国小店门口堵了，建国 在等", known=["建国"])


@given(
    st.text(alphabet="路灯坏了请问怎么办abc，。 \n", max_size=20),
    st.sampled_from(["199{}", "41{}19900101001X", "0394{}", "86199{}"]),
    st.integers(10**7, 10**8 - 1),
    st.sampled_from(["", " ", "-", ".", "·", "—", "  ", "/", "*", "\u200b", "（）", "_", "、"]),
    st.sampled_from(["ascii", "wide", "han", "arabic"]),
    st.text(alphabet="路灯坏了请问怎么办，。 \n", max_size=20),
)
def test_no_run_of_digits_of_a_phone_or_id_leaves(before, kind, number, gap, style, after):
    digits = kind.format(number)
    signs = {"ascii": "0123456789", "wide": "０１２３４５６７８９", "han": "零一二三四五六七八九"}
    signs["arabic"] = "٠١٢٣٤٥٦٧٨٩"
    written = gap.join(signs[style][int(c)] if c.isdigit() else c for c in digits)
    left = masked(f"{before}{written}{after}")
    assert len(re.findall(r"\d", left)) < 5
    assert len(re.findall("[零一二三四五六七八九]", left)) < 5
