"""Contact cards on paper: what stands on them, who prints, and nothing hostile gets through."""

import io
import socket

import pypdfium2
import pytest
import zxingcpp
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from core.fonts import MISSING, printable, unprintable
from core.models import AuditEntry, Paper
from core.services import papers
from grids.card_sheet import CardFace, Words, door_cards, large_card
from grids.factories import person
from grids.models import CardProfile, GridWithoutChief, Posting, Role, User
from grids.queries.cards import cards_of
from grids.services import cards as service

TODAY = timezone.localdate
WORDS = Words("连心卡", "联系电话", "请咨询村委会", "扫码反映问题", "监督热线", "12345")


def face(**values) -> CardFace:
    told = {
        "name": "王㛃",
        "role": "网格长",
        "phone": "199 0000 1234",
        "grid": "第一网格",
        "place": "青禾县 东关镇 大王庄村民委员会",
        "code": "419901001001001",
        "link": "https://county.invalid/report/?grid=419901001001001",
    }
    return CardFace(**(told | values))


def read(pdf: bytes) -> tuple[list[str], list[list[str]]]:
    """Return the text of each page, and what a phone reads from its QR codes."""
    pages = pypdfium2.PdfDocument(pdf)
    texts = [page.get_textpage().get_text_bounded() for page in pages]
    codes = []
    for page in pages:
        picture = page.render(scale=2).to_pil()
        codes.append([code.text for code in zxingcpp.read_barcodes(picture)])
    return texts, codes


def picture(kind: str = "JPEG", **options) -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (900, 1200), "teal").save(out, kind, **options)
    out.seek(0)
    out.name = "portrait.jpg"
    return out


@pytest.fixture
def chief(county) -> User:
    somebody = person(Role.GRID_CHIEF, county.grids[0])
    User.objects.filter(pk=somebody.pk).update(display_name="欧阳𠅤明")
    somebody.refresh_from_db()
    somebody.phone = "19900001234"
    somebody.save()
    return somebody


def client_of(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_a_card_says_everything_and_its_code_leads_to_the_grids_report_page():
    texts, codes = read(large_card(face(), WORDS))
    for words in ("王㛃", "网格长", "199 0000 1234", "第一网格", "419901001001001", "12345"):
        assert words in texts[0]
    assert codes == [["https://county.invalid/report/?grid=419901001001001"]]


def test_the_code_on_a_card_opens_the_report_page_with_the_place_set(county, chief):
    town = client_of(person(Role.TOWN_ADMIN, county.towns[0]))
    printed = town.post(reverse("cards_pdf", args=[county.grids[0].pk]))
    _texts, codes = read(printed.content)
    page = Client().get(codes[0][0].removeprefix("http://testserver")).content.decode()
    assert f'name="grid" value="{county.grids[0].code}"' in page
    assert county.grids[0].name in page


def test_eight_door_cards_fill_a_page_and_the_ninth_begins_another():
    texts, codes = read(door_cards([face(name=f"张{n}") for n in "一二三四五六七八九"], WORDS))
    assert [len(page) for page in codes] == [8, 1]
    assert "张八" in texts[0]
    assert "张九" in texts[1]


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("<script>alert(1)</script>", "<script>"),
        ("file:///etc/passwd", "file:///"),
        ("http://evil.invalid/a.png", "http://"),
        ("**粗体**", "**粗体**"),
        ("张\u202e三\x00\n四", "张三 四"),
        ("اسم طويل", f"{MISSING * 3} {MISSING * 4}"),
        ("李😀四", f"李{MISSING}四"),
        ("买买提·吐尔逊·阿不都热合曼", "买买提·吐尔逊"),
        ("长" * 50, "长长"),
        ("", "网格长"),
    ],
)
def test_a_hostile_or_strange_name_is_only_letters(name, printed, monkeypatch):
    def refused(*_args, **_more):
        raise AssertionError("a card must not fetch anything")

    monkeypatch.setattr(socket, "socket", refused)
    texts, codes = read(large_card(face(name=name), WORDS))
    assert printed in texts[0].replace("\r\n", "")
    assert len(codes[0]) == 1


def test_a_long_name_of_several_parts_is_not_cut_off():
    texts, _codes = read(large_card(face(name="买买提·吐尔逊·阿不都热合曼"), WORDS))
    assert "买买提·吐尔逊·阿不都热合曼" in texts[0].replace("\r\n", "")


def test_rare_characters_of_names_are_in_the_font_and_others_are_named():
    assert unprintable("王㛃 欧阳𠅤明 𬭚") == ""
    assert unprintable("李😀四😀") == "😀"
    assert printable("a\u202eb\u200dc\ue000") == "abc"


def test_without_the_font_the_page_says_what_to_install(settings):
    settings.PRINT_FONT = "/nowhere/font.ttc"
    with pytest.raises(Exception, match="fonts-noto-cjk"):
        large_card(face(), WORDS)


def test_the_town_prints_a_village_and_it_is_on_record(county, chief, settings):
    settings.PUBLIC_URL = "https://county.invalid"
    worker = person(Role.GRID_WORKER, county.grids[1], worker_kind="full_time")
    person(Role.GRID_WORKER, county.grids[2], worker_kind="full_time")
    town = person(Role.TOWN_ADMIN, county.towns[0])
    answer = client_of(town).post(reverse("cards_pdf", args=[county.villages[0].pk]))
    assert answer.headers["Content-Type"] == "application/pdf"
    assert "attachment" in answer.headers["Content-Disposition"]
    assert "no-store" in answer.headers["Cache-Control"]
    texts, codes = read(answer.content)
    assert "欧阳𠅤明" in texts[0]
    assert "199 0000 1234" in texts[0]
    assert sorted(codes[0]) == [
        f"https://county.invalid/report/?grid={grid.code}" for grid in county.grids[:2]
    ]
    entry = AuditEntry.objects.get(action="cards.printed")
    assert entry.actor == town
    assert entry.village_id == county.villages[0].pk
    assert entry.data["reason"] == "contact card"
    assert entry.data["people"] == sorted([chief.pk, worker.pk])
    assert entry.data["private_phones"] == [chief.pk]
    assert "1234" not in str(entry.data)


def test_the_duty_phone_stands_on_the_card_and_the_private_one_does_not(county, chief):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    service.set_duty_phone(actor=town, person=chief, phone="１９９ ００００ ９９９９")
    posting = chief.postings.get()
    answer = client_of(town).post(reverse("card_pdf", args=[posting.pk]))
    (text,), _codes = read(answer.content)
    assert "199 0000 9999" in text
    assert "0000 1234" not in text
    assert AuditEntry.objects.get(action="cards.printed").data["private_phones"] == []


def test_the_photo_on_the_card_is_made_anew_and_private(county, chief):
    town = person(Role.TOWN_ADMIN, county.towns[0])
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    profile = service.set_photo(actor=town, person=chief, file=picture(exif=exif))
    assert b"SecretCamera" not in profile.photo.read()
    url = reverse("card_photo", args=[profile.photo_key])
    assert client_of(town).get(url).status_code == 200
    assert client_of(chief).get(url).status_code == 200
    assert client_of(person(Role.TOWN_ADMIN, county.towns[1])).get(url).status_code == 404
    assert client_of(person(Role.GRID_WORKER, county.grids[0])).get(url).status_code == 404
    assert Client().get(url).status_code == 302
    answer = client_of(town).post(reverse("card_pdf", args=[chief.postings.get().pk]))
    pdf = pypdfium2.PdfDocument(answer.content)
    kinds = [item.type for item in pdf[0].get_objects()]
    assert len(kinds) > 0
    assert len([kind for kind in kinds if kind == pypdfium2.raw.FPDF_PAGEOBJ_IMAGE]) == 2


@pytest.mark.django_db(transaction=True)
def test_a_photo_taken_off_or_replaced_is_gone_from_the_disk():
    from grids.factories import small_county  # noqa: PLC0415

    county = small_county()
    chief = person(Role.GRID_CHIEF, county.grids[0])
    GridWithoutChief.objects.create(grid=county.grids[0], reason="测试")
    first = service.set_photo(actor=chief, person=chief, file=picture())
    old = first.photo.path
    second = service.set_photo(actor=chief, person=chief, file=picture("PNG"))
    assert second.photo_key != first.photo_key or second.photo.path != old
    with pytest.raises(FileNotFoundError):
        open(old).close()
    path = second.photo.path
    service.remove_photo(actor=chief, person=chief)
    profile = CardProfile.objects.get(person=chief)
    assert (profile.photo.name, profile.photo_key) == ("", None)
    with pytest.raises(FileNotFoundError):
        open(path).close()


def test_nobody_prints_or_mends_across_the_border(county, chief):
    other = client_of(person(Role.TOWN_ADMIN, county.towns[1]))
    assert other.post(reverse("cards_pdf", args=[county.villages[0].pk])).status_code == 404
    assert other.post(reverse("cards_pdf", args=[county.county.pk])).status_code == 404
    assert other.post(reverse("card_pdf", args=[chief.postings.get().pk])).status_code == 404
    assert other.get(reverse("cards"), {"place": county.villages[0].pk}).status_code == 404
    assert other.get(reverse("worker_card", args=[chief.pk])).status_code == 404
    grid_chief = client_of(chief)
    assert grid_chief.post(reverse("cards_pdf", args=[county.villages[0].pk])).status_code == 404
    assert grid_chief.post(reverse("cards_pdf", args=[county.grids[0].pk])).status_code == 200
    worker = client_of(person(Role.GRID_WORKER, county.grids[0]))
    assert worker.post(reverse("cards_pdf", args=[county.grids[0].pk])).status_code == 403
    assert not AuditEntry.objects.filter(action="cards.printed").exclude(actor=chief).exists()


def test_printing_is_never_a_link_somebody_can_be_sent_to(county, chief):
    town = client_of(person(Role.TOWN_ADMIN, county.towns[0]))
    assert town.get(reverse("cards_pdf", args=[county.villages[0].pk])).status_code == 405


def test_the_desk_says_who_gets_a_card_and_what_is_missing(county, chief):
    office = client_of(person(Role.VILLAGE_OFFICE, county.villages[0]))
    page = office.get(reverse("cards")).content.decode()
    assert "欧阳𠅤明" in page
    assert "199****1234" in page
    assert "19900001234" not in page
    assert reverse("worker_card", args=[chief.pk]) in page
    empty = client_of(person(Role.VILLAGE_OFFICE, county.villages[1]))
    assert "欧阳𠅤明" not in empty.get(reverse("cards")).content.decode()


def test_what_cannot_be_printed_is_told_before_printing(county, chief):
    User.objects.filter(pk=chief.pk).update(display_name="李😀四")
    office = client_of(person(Role.VILLAGE_OFFICE, county.villages[0]))
    assert f"李{MISSING}四" in office.get(reverse("cards")).content.decode()


def test_a_bad_phone_or_picture_is_told_and_nothing_is_kept(county, chief):
    town = client_of(person(Role.TOWN_ADMIN, county.towns[0]))
    url = reverse("worker_card", args=[chief.pk])
    refused = town.post(url, {"duty_phone": "12345"})
    assert refused.status_code == 400
    assert "12345" in refused.content.decode()
    bad = io.BytesIO(b"<svg onload=alert(1)>")
    bad.name = "x.jpg"
    refused = town.post(url, {"duty_phone": "19900009999", "photo": bad})
    assert refused.status_code == 400
    assert [card.duty_phone for card in CardProfile.objects.all()] == []
    taken = town.post(url, {"duty_phone": "19900009999", "photo": picture()})
    assert taken.status_code == 302
    assert CardProfile.objects.get(person=chief).photo_key


def test_the_cards_of_a_village_cost_a_set_number_of_queries(
    county, chief, django_assert_num_queries
):
    for grid in county.grids[:2]:
        person(Role.GRID_WORKER, grid)
    with django_assert_num_queries(3):
        assert len(cards_of(county.villages[0])) == 3


def test_an_empty_village_says_so_instead_of_an_empty_sheet(county):
    town = client_of(person(Role.TOWN_ADMIN, county.towns[0]))
    answer = town.post(reverse("cards_pdf", args=[county.villages[1].pk]))
    assert answer.status_code == 409
    assert not AuditEntry.objects.filter(action="cards.printed").exists()


# More cards than anybody waits for


@pytest.fixture
def many(county, chief, monkeypatch) -> Client:
    monkeypatch.setattr(service, "AT_ONCE", 1)
    person(Role.GRID_WORKER, county.grids[1], worker_kind="full_time")
    return client_of(person(Role.TOWN_ADMIN, county.towns[0]))


def test_a_whole_town_is_drawn_in_the_background_and_fetched(county, many, settings):
    settings.PUBLIC_URL = "https://county.invalid"
    answer = many.post(reverse("cards_pdf", args=[county.towns[0].pk]))
    paper = Paper.objects.get()
    assert answer.url == reverse("paper", args=[paper.pk])
    assert "等待生成" in many.get(answer.url).content.decode()
    assert not AuditEntry.objects.filter(action="cards.printed").exists()
    papers.work_due()
    assert AuditEntry.objects.filter(action="cards.printed").count() == 1
    fetched = many.post(reverse("paper_file", args=[paper.pk]))
    texts, codes = read(fetched.content)
    assert "欧阳𠅤明" in texts[0]
    assert len(codes[0]) == 2
    assert paper.title in many.get(reverse("cards")).content.decode()


def test_who_no_longer_keeps_the_town_fetches_nothing(county, many):
    answer = many.post(reverse("cards_pdf", args=[county.towns[0].pk]))
    papers.work_due()
    Posting.objects.filter(role=Role.TOWN_ADMIN).update(valid_from="2026-01-01", valid_to=TODAY())
    assert many.get(answer.url).status_code in {403, 404}
    paper = Paper.objects.get()
    assert many.post(reverse("paper_file", args=[paper.pk])).status_code in {403, 404}


def test_a_paper_is_its_owners_alone(county, many):
    answer = many.post(reverse("cards_pdf", args=[county.towns[0].pk]))
    papers.work_due()
    file = reverse("paper_file", args=[Paper.objects.get().pk])
    for other in (county.towns[0], county.towns[1]):
        stranger = client_of(person(Role.TOWN_ADMIN, other))
        assert stranger.get(answer.url).status_code == 404
        assert stranger.post(file).status_code == 404
    assert many.get(file).status_code == 405
