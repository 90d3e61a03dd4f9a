"""Tags every floor's templates may load."""

from django.template import engines


def drawn(text, **context):
    return engines["django"].from_string("{% load geshi %}" + text).render(context)


def test_rows_are_markup_and_what_stands_in_them_is_escaped():
    row = {"head": "<b>路灯</b> & 井盖", "url": "/x/", "clock": {}, "level": "calm"}
    page = drawn('{% rows "phone.html" rows %}', rows=[row])
    assert '<a class="g-item g-calm" href="/x/">' in page
    assert "&lt;b&gt;路灯&lt;/b&gt; &amp; 井盖" in page


def test_options_are_escaped_and_the_chosen_one_is_selected():
    page = drawn("{% options pairs chosen %}", pairs=[("a", "<甲>"), ("b", "乙")], chosen="b")
    assert page == ('<option value="a">&lt;甲&gt;</option><option value="b" selected>乙</option>')
