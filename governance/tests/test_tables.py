"""The tables in the database are the ones the models describe."""

import pytest
from django.apps import apps
from django.db import connection

pytestmark = pytest.mark.django_db


def test_an_index_over_some_rows_holds_only_those():
    wanted = {
        index.name
        for model in apps.get_models()
        for index in model._meta.indexes
        if index.condition is not None
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE indexdef LIKE '% WHERE %'")
        partial = {name for (name,) in cursor.fetchall()}
    assert wanted
    assert wanted <= partial
