"""Personal data is unreadable at rest, found exactly, and masked on the screen."""

import base64
import os

import pytest
from cryptography.fernet import InvalidToken
from django.apps.registry import Apps
from django.core.exceptions import FieldError
from django.db import connection, models

from core.crypto import blind_index, decrypt, encrypt
from core.fields import EncryptedTextField
from core.masking import mask_id, mask_name, mask_phone, mask_text

PHONE = "19900001234"


def new_key() -> str:
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


class Person(models.Model):
    phone = EncryptedTextField(blank=True, null=True)

    class Meta:
        # A registry of its own, so that nobody asks for this table's migration.
        apps = Apps()
        app_label = "core"
        managed = False
        db_table = "core_test_person"


@pytest.fixture
def people(db):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE core_test_person (id bigserial PRIMARY KEY, phone text)")
    return Person.objects


def stored() -> list[str | None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT phone FROM core_test_person ORDER BY id")
        return [row[0] for row in cursor.fetchall()]


def test_the_same_text_never_looks_the_same_twice():
    assert encrypt(PHONE) != encrypt(PHONE)
    assert decrypt(encrypt("张三 ☎")) == "张三 ☎"


def test_an_old_key_still_opens_what_it_closed_and_a_lost_one_does_not(settings):
    old, new = new_key(), new_key()
    settings.FIELD_KEYS = [old]
    token = encrypt(PHONE)
    settings.FIELD_KEYS = [new, old]
    assert decrypt(token) == PHONE
    settings.FIELD_KEYS = [new]
    with pytest.raises(InvalidToken):
        decrypt(token)


def test_the_blind_index_is_equal_for_equal_values_only(settings):
    assert blind_index(PHONE) == blind_index(" １９９００００１２３４ ")
    assert blind_index(PHONE) != blind_index("19900001235")
    assert len(blind_index(PHONE)) == 64
    assert blind_index("  ") == ""
    before = blind_index(PHONE)
    settings.BLIND_INDEX_KEY = "another"
    assert blind_index(PHONE) != before


def test_the_field_is_encrypted_however_it_is_written(people):
    one = people.create(phone=PHONE)
    people.bulk_create([Person(phone=PHONE), Person(phone=PHONE)])
    one.phone = "19900000000"
    people.bulk_update([one], ["phone"])
    people.filter(pk__gt=one.pk).update(phone="19900000001")
    assert all("1990000" not in value for value in stored())
    assert list(people.order_by("pk").values_list("phone", flat=True)) == [
        "19900000000",
        "19900000001",
        "19900000001",
    ]


def test_no_value_stays_no_value(people):
    people.create(phone="")
    people.create(phone=None)
    assert stored() == ["", None]
    assert people.filter(phone__isnull=True).count() == 1


@pytest.mark.parametrize("lookup", ["phone", "phone__contains", "phone__startswith", "phone__in"])
def test_the_field_cannot_be_filtered_by(people, lookup):
    with pytest.raises(FieldError):
        people.filter(**{lookup: "199"}).exists()


@pytest.mark.parametrize(
    ("name", "shown"), [("张三", "张**"), ("欧阳小明", "欧**"), (" 李 ", "李**"), ("", "")]
)
def test_names(name, shown):
    assert mask_name(name) == shown


@pytest.mark.parametrize(
    ("phone", "shown"),
    [(PHONE, "199****1234"), ("5550123", "****23"), ("110", "****"), ("", "")],
)
def test_phones(phone, shown):
    assert mask_phone(phone) == shown


def test_id_numbers():
    assert mask_id("41000019900101000X") == "41**************0X"
    assert mask_id("") == ""


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("请打19900001234找我", "请打199****1234找我"),
        ("电话199 0000 1234，急", "电话199****1234，急"),
        ("+86-199-0000-1234", "199****1234"),
        ("１９９００００１２３４", "199****1234"),
        ("座机0000-5550123", "座机0000****23"),
        ("身份证41000019900101000X。", "身份证41**************0X。"),
        ("订单202600001234567不是电话", "订单20***********67不是电话"),
        ("3号楼12层1990000", "3号楼12层1990000"),
    ],
)
def test_numbers_inside_a_text(text, shown):
    assert mask_text(text) == shown
