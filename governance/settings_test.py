"""Settings of the test run: the real ones, with speed and separation added.

What lives here: what makes tests fast and keeps parallel runs apart. What must not: a
switch that turns the behaviour under test off. Processes a test starts use it too.
"""

import os
import re

os.environ.setdefault("GESHI_SECRET_KEY", "only-for-tests")
os.environ["GESHI_DEMO"] = os.environ["GESHI_DEBUG"] = "0"
# Most tests sign people in without a login page; those about it switch this on.
os.environ["GESHI_TWO_FACTOR"] = "offered"
os.environ["GESHI_DB_POOL"] = "0"  # a test database can only be dropped when nobody is connected

from governance.settings import *  # noqa: F403
from governance.settings import CACHES, DATABASES, REDIS_URL, STORAGES


def own_redis_database(url: str) -> str:
    """Return ``url`` with a database number of this test worker's own, of 16."""
    worker = int(re.sub(r"\D", "", os.environ.get("PYTEST_XDIST_WORKER", "")) or "0")
    base, _, number = url.partition("?db=")
    return f"{base}?db={(int(number or 0) + worker) % 16}"


DATABASES["default"]["CONN_MAX_AGE"] = 0
# A worker or beat started by a test looks at that test's database.
DATABASES["default"]["NAME"] = os.environ.get("GESHI_TEST_DATABASE", DATABASES["default"]["NAME"])
# A database that has the tables already; each test process begins with a copy of it.
if template := os.environ.get("GESHI_TEST_TEMPLATE"):
    DATABASES["default"].setdefault("TEST", {})["TEMPLATE"] = template
REDIS_URL = own_redis_database(REDIS_URL)
CACHES["default"]["LOCATION"] = REDIS_URL
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace(
    "?db=", "?virtual_host="
)
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
