"""What an administrator changes about incidents, and what nobody may change."""

import pytest
from django.contrib.auth import get_user_model
from django.urls import reverse
from django.utils import timezone

from incidents.models import (
    Article,
    Category,
    Event,
    TriageModel,
)
from incidents.services.catalogue import load_catalogue

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(client):
    client.force_login(
        get_user_model().objects.create(
            username="chief", is_superuser=True, is_staff=True, is_active=True
        )
    )
    return client


def change(row):
    return reverse(f"admin:incidents_{row._meta.model_name}_change", args=[row.pk])


def fields_of(response):
    """What the browser would send back unchanged."""
    form = response.context["adminform"].form
    data = {name: form[name].value() for name in form.fields}
    for formset in response.context["inline_admin_formsets"]:
        for field in formset.formset.management_form:
            data[field.html_name] = field.value()
    return {name: value for name, value in data.items() if value is not None and value is not False}


@pytest.mark.parametrize(
    "model",
    [
        *("category", "article", "triageexample"),
        *("triagemodel", "incident", "event"),
    ],
)
def test_every_list_opens(admin, world, model):
    load_catalogue(county=world.county)
    world.dispatched()
    TriageModel.objects.create(
        version=1, blob=b"", threshold=1, precision_asked=1, trained_at=timezone.now()
    )
    assert admin.get(reverse(f"admin:incidents_{model}_changelist")).status_code == 200


def test_an_item_shows_its_deadlines_and_leads_to_where_they_change(admin, world):
    load_catalogue(county=world.county)
    item = Category.objects.get(code="HW-01")
    page = admin.get(change(item)).content.decode()
    assert reverse("deadlines_of", args=[item.code]) in page
    assert "v1" in page


def test_the_article_saved_is_found_by_its_words(admin, world):
    data = {
        "code": "K9",
        "title": "公积金提取",
        "body": "到窗口",
        "source": "窗口",
        "published_on": "2026-01-01",
        "keywords": "公积金,提取",
        "active": "on",
    }
    assert admin.post(reverse("admin:incidents_article_add"), data).status_code == 302
    assert "提取" in Article.objects.get().bigrams


def test_a_trained_version_is_put_in_force(admin, world):
    rows = [
        TriageModel.objects.create(
            version=n, blob=b"", threshold=1, precision_asked=1, trained_at=timezone.now()
        )
        for n in (1, 2)
    ]
    url = reverse("admin:incidents_triagemodel_changelist")
    admin.post(url, {"action": "activate", "_selected_action": [rows[1].pk]})
    assert TriageModel.objects.get(active=True) == rows[1]
    admin.post(url, {"action": "activate", "_selected_action": [row.pk for row in rows]})
    assert TriageModel.objects.get(active=True) == rows[1]


def test_cases_and_their_timeline_are_only_read(admin, world):
    incident = world.dispatched()
    for row in (incident, Event.objects.filter(incident=incident).first()):
        assert admin.get(change(row)).status_code == 200
        assert admin.post(change(row), {}).status_code == 403
        url = reverse(f"admin:incidents_{row._meta.model_name}_delete", args=[row.pk])
        assert admin.post(url, {"post": "yes"}).status_code == 403
