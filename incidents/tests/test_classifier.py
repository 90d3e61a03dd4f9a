"""The classifier learns from labelled texts, says how sure it is and why, and survives storage."""

import io
import json
from pathlib import Path

import numpy as np
import pytest

from incidents import classifier
from incidents.tests.labelled import CORES, LAMP, RUBBISH, WAGES, labelled

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(scope="module")
def trained():
    return classifier.learn(*labelled())[0]


def test_a_text_like_the_examples_gets_their_category(trained):
    found = trained.predict(["北边路口路灯不亮了", "工地欠薪半年", "门前垃圾没人清"])
    assert [p.label for p in found] == [LAMP, WAGES, RUBBISH]
    assert all(p.confidence > 0.5 for p in found)


def test_the_words_that_decided_are_in_the_text_and_belong_to_the_matter(trained):
    text = "村口的路灯不亮，晚上看不见"
    words = trained.predict([text])[0].words
    assert words
    assert all(word in text for word in words)
    assert any("灯" in word for word in words)


def test_alternatives_share_what_confidence_leaves(trained):
    found = trained.predict(["路灯下边垃圾没人清"])[0]
    shares = [share for _, share in found.alternatives]
    assert shares == sorted(shares, reverse=True)
    assert found.label not in dict(found.alternatives)
    assert found.confidence + sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("text", ["", "   ", "qzx", "😀"])
def test_a_text_with_nothing_known_in_it_is_never_confident(trained, text):
    found = trained.predict([text])[0]
    assert found.confidence < 0.5
    assert found.words == []


def test_text_cut_into_words_reads_like_raw_text(trained):
    raw, cut = trained.predict(["村口路灯不亮", "村口 路灯 不亮"])
    assert raw.label == cut.label == LAMP


def test_spaces_between_chinese_characters_are_dropped_and_others_kept():
    assert classifier.normalise(" 路灯  坏 了 ABC  road ") == "路灯坏了 abc road"


def test_same_texts_and_seed_give_the_same_model():
    first, second = (classifier.learn(*labelled(), seed=7)[0] for _ in range(2))
    assert first.predict(["路灯坏了"]) == second.predict(["路灯坏了"])


def test_a_stored_model_predicts_as_before(trained):
    restored = classifier.Trained.loads(trained.dumps())
    texts = ["路灯坏了", "欠薪不给", "垃圾发臭", "天气真好"]
    for before, after in zip(trained.predict(texts), restored.predict(texts), strict=True):
        assert after.label == before.label
        assert after.confidence == pytest.approx(before.confidence, abs=0.01)


@pytest.mark.parametrize("data", [b"", b"cos\nsystem\n(S'true'\ntR.", b"PK\x03\x04 cut off"])
def test_bytes_that_are_not_a_model_are_refused(data):
    with pytest.raises(ValueError):
        classifier.Trained.loads(data)


def test_a_model_cut_short_is_refused(trained):
    with pytest.raises(ValueError):
        classifier.Trained.loads(trained.dumps()[:-200])


def stored_as(trained, number, *without):
    """The model's bytes as another format number, without these keys."""
    with np.load(io.BytesIO(trained.dumps())) as archive:
        parts = dict(archive)
    head = json.loads(parts["head"].tobytes()) | {"format": number}
    kept = {key: value for key, value in head.items() if key not in without}
    parts["head"] = np.frombuffer(json.dumps(kept).encode(), dtype=np.uint8)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **parts)
    return buffer.getvalue()


@pytest.mark.parametrize("number", [1, classifier.FORMAT + 1])
def test_a_model_of_a_format_that_is_not_known_is_refused(trained, number):
    with pytest.raises(ValueError, match=f"format {number}"):
        classifier.Trained.loads(stored_as(trained, number))


def test_a_model_stored_before_there_was_caution_still_predicts(trained):
    old = classifier.Trained.loads(stored_as(trained, 2, "caution"))
    assert old._curve.caution == 0
    assert old.predict(["村口路灯不亮"])[0].label == LAMP


def test_one_label_cannot_be_learnt():
    with pytest.raises(ValueError, match="two labels"):
        classifier.learn(["路灯坏了", "灯不亮"], [LAMP, LAMP])


def test_labels_with_few_examples_are_learnt_but_not_tested():
    texts, labels = labelled()
    report = classifier.cross_validate([*texts, "有人养蜂蜇人"], [*labels, "bees"], k=5)
    assert report.too_few == ["bees"]
    assert "bees" not in report.per_class
    assert report.tested == len(texts)
    trained, _report = classifier.learn([*texts, "有人养蜂蜇人"], [*labels, "bees"])
    assert trained.predict(["养蜂蜇人"])[0].label == "bees"


def test_two_examples_of_two_labels_are_enough_to_suggest_but_not_to_decide():
    trained, report = classifier.learn(["路灯坏了", "垃圾发臭"], [LAMP, RUBBISH])
    assert trained.predict(["路灯坏"])[0].label == LAMP
    assert report.threshold(0.98) == classifier.NEVER


def test_keywords_help_where_examples_are_few():
    examples = json.loads((DATA / "examples.json").read_text(encoding="utf-8"))
    rows = [row for row in examples if row["category"][:2] in {"HW", "SZ", "RS"}]
    texts, labels = [row["text"] for row in rows], [row["category"] for row in rows]
    catalogue = json.loads((DATA / "catalogue.json").read_text(encoding="utf-8"))
    hints = {
        row["code"]: row["keywords"] for row in catalogue["categories"] if row["code"] in labels
    }
    alone = classifier.cross_validate(texts, labels, k=4)
    helped = classifier.cross_validate(texts, labels, k=4, hints=hints)
    assert helped.tested == alone.tested == len(texts)
    assert helped.accuracy > alone.accuracy


def noisy():
    """Learnable texts in which one label in ten is wrong."""
    texts, labels = labelled()
    draw = np.random.default_rng(1)
    wrong = draw.random(len(labels)) < 0.1
    names = list(CORES)
    return texts, [str(draw.choice(names)) if w else x for x, w in zip(labels, wrong, strict=True)]


def test_a_stricter_precision_never_accepts_more():
    report = classifier.cross_validate(*noisy(), k=5)
    assert report.coverage[0.97] >= report.coverage[0.98] >= report.coverage[0.99]
    assert report.threshold(0.97) <= report.threshold(0.98) <= report.threshold(0.99)


def test_threshold_is_the_confidence_from_which_the_precision_was_reached():
    report = classifier.cross_validate(*noisy(), k=5)
    threshold = report.threshold(0.9)
    accepted = report._right[report._confidence >= threshold]
    assert len(accepted) >= classifier.MIN_ACCEPTED
    assert accepted.mean() >= 0.9


def test_report_counts_every_class():
    report = classifier.cross_validate(*labelled(), k=5)
    assert set(report.per_class) == set(CORES)
    assert sum(row["count"] for row in report.per_class.values()) == report.tested == 120
    assert report.macro_f1 > 0.9


def test_the_head_of_a_text_is_its_title_else_its_beginning():
    assert classifier.head("路灯不亮      尊敬的领导，我是村民") == "路灯不亮"
    assert classifier.head("路灯不亮\n尊敬的领导") == "路灯不亮"
    assert classifier.head("尊敬的领导，" + "路" * 100) == "尊敬的领导，" + "路" * 34


def test_calibration_tells_how_far_confidence_can_be_believed():
    report = classifier.cross_validate(*noisy(), k=5)
    assert sum(row["count"] for row in report.reliability) == report.tested
    for row in report.reliability:
        assert row["from"] <= row["confidence"] <= row["to"]
        assert 0 <= row["right"] <= 1
    assert 0 <= report.calibration_error <= 0.2


def test_thresholds_set_without_the_tested_texts_are_reported_apart():
    report = classifier.cross_validate(*noisy(), k=4)
    assert set(report.kept) == set(classifier.PRECISIONS)
    for share, right in report.kept.values():
        assert 0 <= share <= 1
        assert right is None or 0 <= right <= 1


def test_training_reports_no_thresholds_it_cannot_know():
    assert classifier.learn(*labelled())[1].kept == {}


def test_without_words_wanted_none_are_looked_for(trained):
    assert trained.predict(["村口路灯不亮"], words=0)[0].words == []


# What speaks against a label.


def test_a_stored_curve_meets_the_same_figures_in_use_as_in_training():
    texts, labels = noisy()
    counts, truth, rows, always = classifier._prepare(texts, labels, None)
    blend, curve, _inside, _sure = classifier._certainty(counts, rows, always, truth, 0)
    linear = classifier._fit(counts, rows, truth)
    scores = blend(linear.scores(counts, rows))
    found = classifier._Tested.of(rows, scores, np.unique(truth))
    fitted = curve(scores, linear.against(counts, found, blend))
    used = [one.confidence for one in classifier.learn(texts, labels)[0].predict(texts)]
    assert used == pytest.approx(fitted, abs=1e-4)


def test_only_what_pulls_to_the_second_label_speaks_against_the_first():
    pulls, text = np.array([3.0, -1.0, 2.0, 2.0]), np.array([0, 0, 1, 1])
    assert classifier._against(pulls, text, 3) == pytest.approx([1 / np.sqrt(2), 0, 0])


def test_a_lead_that_outweighs_much_is_believed_less_where_it_was_wrong_more_often():
    draw = np.random.default_rng(2)
    leads, against = draw.uniform(0, 4, 500), draw.uniform(0, 1, 500)
    scores = np.c_[leads, np.zeros(500)]
    right = draw.random(500) < 1 / (1 + np.exp(-(leads + 1 - 3 * against)))
    curve = classifier._fit_curve(scores, against, right)
    little, much = curve(np.array([[2.0, 0.0]] * 2), np.array([0.1, 0.9]))
    assert little > much + 0.1
    backwards = classifier._fit_curve(scores, 1 - against, right)
    assert backwards.caution == 0
