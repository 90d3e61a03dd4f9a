"""Settings of the whole project, read from the environment.

What lives here: every knob, with the default a developer's checkout needs.
What must not: values that change while the product runs (those are rows an
administrator edits). Demo mode is off unless ``GESHI_DEMO=1``.
"""

import base64
import hashlib
import os
from datetime import timedelta
from pathlib import Path

import dj_database_url
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from core.schedule import BEAT_SCHEDULE as CORE_SCHEDULE
from grids.schedule import BEAT_SCHEDULE as GRIDS_SCHEDULE
from incidents.schedule import BEAT_SCHEDULE as INCIDENTS_SCHEDULE

BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("GESHI_VAR", BASE_DIR / "var"))


def flag(name: str) -> bool:
    """Return whether the environment switches ``name`` on."""
    return os.environ.get(name, "").lower() in {"1", "true", "yes", "on"}


DEMO = flag("GESHI_DEMO")
# The password of every demonstration account, shown on the login page in demo mode only.
DEMO_PASSWORD = os.environ.get("GESHI_DEMO_PASSWORD", "geshi-demo-2026")
DEBUG = flag("GESHI_DEBUG")

SECRET_KEY = os.environ.get("GESHI_SECRET_KEY", "")
if not SECRET_KEY:
    if not (DEMO or DEBUG or flag("GESHI_BUILD")):
        raise ImproperlyConfigured(
            "GESHI_SECRET_KEY is not set. Give a deployment its own long random value; "
            "GESHI_DEMO=1 starts a demonstration without one."
        )
    SECRET_KEY = "demonstration-only-" + hashlib.sha256(str(BASE_DIR).encode()).hexdigest()

# Keys for personal data at rest, newest first, url-safe base64 of 32 bytes each.
FIELD_KEYS = [key for key in os.environ.get("GESHI_FIELD_KEYS", "").split(",") if key] or [
    base64.urlsafe_b64encode(hashlib.sha256(f"field:{SECRET_KEY}".encode()).digest()).decode()
]
BLIND_INDEX_KEY = os.environ.get("GESHI_BLIND_INDEX_KEY", f"blind:{SECRET_KEY}")

ALLOWED_HOSTS = os.environ.get("GESHI_HOSTS", "*" if DEMO or DEBUG else "localhost").split(",")
CSRF_TRUSTED_ORIGINS = [o for o in os.environ.get("GESHI_ORIGINS", "").split(",") if o]
# The address residents reach, for links and QR codes; empty means "as asked for".
PUBLIC_URL = os.environ.get("GESHI_PUBLIC_URL", "").rstrip("/")
# The number residents call about the workers themselves; printed on every contact card.
SUPERVISION_HOTLINE = os.environ.get("GESHI_HOTLINE", "12345")
# What contact cards are set in: a TrueType or OpenType font with Chinese and rare characters.
PRINT_FONT = os.environ.get(
    "GESHI_PRINT_FONT", "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"
)

INSTALLED_APPS = [
    "governance",
    "mediation",
    "incidents",
    "grids",
    "core",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.gis",
    "django.contrib.postgres",
    "rest_framework",
    "drf_spectacular",
    "django_htmx",
    "leaflet",
    "treebeard",
    "axes",
    "csp",
    "pgtrigger",
]

MIDDLEWARE = [
    "governance.metrics.MetricsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "core.middleware.GeshiMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
    "grids.middleware.ScopeMiddleware",
    "grids.middleware.AccountMiddleware",
]

ROOT_URLCONF = "governance.urls"
WSGI_APPLICATION = "governance.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "OPTIONS": {
            # A template is compiled once for each language; see docs/decisions/0022.
            "loaders": [
                (
                    "core.loaders.PerLanguage",
                    [
                        "django.template.loaders.filesystem.Loader",
                        "django.template.loaders.app_directories.Loader",
                    ],
                )
            ],
            "builtins": ["core.templatetags.settled"],
            "libraries": {
                "i18n": "core.templatetags.settled",
                "static": "core.templatetags.settled",
            },
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.i18n",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "grids.context.desks",
                "incidents.context.notices",
            ],
        },
    },
    # The rows of long lists only, through {% rows %}; see docs/decisions/0020.
    {
        "NAME": "rows",
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "rows"],
    },
]

# The private services of script/services, unless the environment names real servers. Their
# directory may be a link to a shorter or more open place, and a socket's path is limited.
SOCKETS = (VAR_DIR / "run").resolve()
DATABASE_URL = os.environ.get("DATABASE_URL") or (
    "postgis://geshi@{}/geshi".format(str(SOCKETS).replace("/", "%2F"))
)
DATABASES = {
    "default": dj_database_url.parse(DATABASE_URL, engine="django.contrib.gis.db.backends.postgis")
}
# Room for a bitmap of every page of ten million cases; a lossy one reads whole pages again. And
# pages cost on a solid-state disk what they cost in a row: believing in a disk that turns,
# PostgreSQL reads a whole table backwards to find the newest hundred rows of one department.
DATABASES["default"].setdefault("OPTIONS", {}).setdefault(
    "options", "-c work_mem=32MB -c random_page_cost=1.1"
)
# Values travel apart from the statement, so that a connection which has seen a statement thrice
# has PostgreSQL keep its plan: on a page of one case planning cost five times the running.
DATABASES["default"]["OPTIONS"] |= {"server_side_binding": True, "prepare_threshold": 3}
# Connections each process keeps; 0 keeps one per thread instead.
DB_POOL = int(os.environ.get("GESHI_DB_POOL", "8"))
if DB_POOL:
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": DB_POOL,
        "timeout": 10,
    }
else:
    DATABASES["default"]["CONN_MAX_AGE"] = 60

REDIS_URL = os.environ.get("REDIS_URL") or f"unix://{SOCKETS / 'redis.sock'}?db=0"
CACHES = {
    "default": {
        "BACKEND": "core.cache.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "geshi",
    }
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"

AUTH_USER_MODEL = "grids.User"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "grids.backends.PostingBackend",
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "login"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # the page tells when it ends
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_CALLABLE = "grids.views.login.locked_out"
AXES_CLIENT_IP_CALLABLE = "core.ratelimit.client_ip"
AXES_RESET_ON_SUCCESS = True
# Left out of what is kept of a failed attempt: a recovery code with one wrong sign in it, say.
AXES_SENSITIVE_PARAMETERS = ["code", "passkey", "csrfmiddlewaretoken"]
# "required": roles that see personal data beyond a village sign in with a second factor;
# "offered": whoever sets one up does. A demonstration only offers it, so that it can be tried.
TWO_FACTOR = os.environ.get("GESHI_TWO_FACTOR") or ("offered" if DEMO else "required")
if TWO_FACTOR not in {"required", "offered"}:
    raise ImproperlyConfigured("GESHI_TWO_FACTOR is either required or offered.")
# Days somebody whose post needs a second factor may work without one after the first sign-in.
TWO_FACTOR_GRACE_DAYS = int(os.environ.get("GESHI_TWO_FACTOR_GRACE", "0"))

LANGUAGE_CODE = "zh-hans"
LANGUAGES = [("zh-hans", _("Chinese")), ("en", _("English"))]
LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "Asia/Shanghai"
USE_TZ = True
USE_I18N = True

STATIC_URL = "/static/"
STATIC_ROOT = VAR_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
NODE_MODULES = BASE_DIR / "node_modules"
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "governance.static_files.VendorFinder",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "governance.static_files.HashedStorage"},
}
if DEBUG:
    STORAGES["staticfiles"]["BACKEND"] = "django.contrib.staticfiles.storage.StaticFilesStorage"
    WHITENOISE_USE_FINDERS = True
# Uploads: never under a served path; incidents.views.files hands them out after asking who looks.
MEDIA_ROOT = VAR_DIR / "media"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The longest request taken at all: a form without scripts with all its photos.
BODY_MEGABYTES = 70
DATA_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:", "blob:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
        "manifest-src": [SELF],
    }
}
X_FRAME_OPTIONS = "DENY"
CSRF_FAILURE_VIEW = "core.views.errors.csrf_failure"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
HTTPS = flag("GESHI_HTTPS")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = HTTPS
SECURE_SSL_REDIRECT = HTTPS
# Asked for on the machine itself, where there is no certificate.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^metrics$"]
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if HTTPS else None
# A browser that was here once comes back by https only, for a year.
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SESSION_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
LANGUAGE_COOKIE_SAMESITE = "Lax"
# From sign-in on, however much it is used (grids/services/sessions.py).
SESSION_COOKIE_AGE = 12 * 3600

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "governance.api.errors.told",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Geshi API",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    # What is sent is described apart from what is answered: a file is bytes in the one, an address
    # in the other.
    "COMPONENT_SPLIT_REQUEST": True,
    "APPEND_COMPONENTS": {
        "securitySchemes": {"systemKey": {"type": "http", "scheme": "bearer"}},
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "governance.api.refusals.tell",
    ],
    "ENUM_NAME_OVERRIDES": {
        "IncidentState": "incidents.models.State",
        "DisputeState": "mediation.models.DisputeState",
    },
}

CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1).replace(
    "?db=", "?virtual_host="
)
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
CELERY_BEAT_SCHEDULE = CORE_SCHEDULE | GRIDS_SCHEDULE | INCIDENTS_SCHEDULE
CELERY_BEAT_SCHEDULE_FILENAME = str(VAR_DIR / "celerybeat-schedule")

# How many proxies of our own stand in front and write X-Forwarded-For.
TRUSTED_PROXIES = int(os.environ.get("GESHI_PROXIES", "0"))
# How many public submissions one address may make: (count, seconds).
RATE_LIMITS = {
    # A whole office may share one address at eight in the morning.
    "login": (60, 60),
    # Counted by account: guesses from many addresses, each below the lock.
    "second_factor": (20, 3600),
    # Counted by account: guesses at the old password in a session somebody left open.
    "password": (10, 600),
    # Counted by account: one number after the other in full is a list nobody gave a reason for.
    "reveal": (60, 600),
    "report": (int(os.environ.get("GESHI_RATE_REPORT", "30")), 600),
    # Every change of a form half filled in asks once; guessing at others' reports takes many.
    "twins": (40, 600),
    "track": (60, 600),
    "rate": (30, 600),
    "upload": (60, 600),
    # GeoReport by address, and the writing calls of one key.
    "open311": (600, 60),
    # No connected system may have more; each has a quota of its own beneath it.
    "system": (6000, 60),
}

# Who reads /metrics from another machine sends this as a bearer token; empty: only this machine.
METRICS_TOKEN = os.environ.get("GESHI_METRICS_TOKEN", "")

# Where messages may go besides the public net: networks like 10.1.2.0/24, and hosts that are
# spoken to over plain http. Empty: public addresses over https only.
OUTBOUND_NETWORKS = [n for n in os.environ.get("GESHI_OUTBOUND_NETWORKS", "").split(",") if n]
OUTBOUND_PLAIN_HOSTS = [h for h in os.environ.get("GESHI_OUTBOUND_PLAIN_HOSTS", "").split(",") if h]

# A model outside this house that helps to choose and word answers: the address of an API that
# speaks OpenAI's chat completions (…/v1), its key and the model's name. Empty: nothing leaves.
AI_URL = os.environ.get("GESHI_AI_URL", "")
AI_KEY = os.environ.get("GESHI_AI_KEY", "")
AI_MODEL = os.environ.get("GESHI_AI_MODEL", "")
# Within so many seconds its whole answer must be there.
AI_SECONDS = float(os.environ.get("GESHI_AI_TIMEOUT", "10"))

# A file outside the database, best on another machine's disk, to which the head of the audit chain
# is appended every minute; `verify_audit --anchor` compares with it.
AUDIT_ANCHOR = os.environ.get("GESHI_AUDIT_ANCHOR", "")

SILENCED_SYSTEM_CHECKS = [
    # Our stand-ins for Django's tags bear the names of its libraries on purpose.
    "templates.W003",
    # Debian's GDAL is older than its own guard against files that point elsewhere. Only
    # grids/services/boundary_child.py opens what people send, with two drivers that follow no link.
    "gis.W001",
]
LEAFLET_CONFIG = {"TILES": [], "SRID": 4326, "MAX_ZOOM": 19}
TEST_RUNNER = "django.test.runner.DiscoverRunner"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "core.logging.JsonFormatter"}},
    "filters": {"context": {"()": "core.logging.ContextFilter"}},
    "handlers": {
        "stderr": {
            "class": "logging.StreamHandler",
            "formatter": "json",
            "filters": ["context"],
        }
    },
    "root": {"handlers": ["stderr"], "level": os.environ.get("GESHI_LOG_LEVEL", "INFO")},
    "loggers": {
        # They tell of every table of a font at each printing.
        "fontTools": {"level": "WARNING"},
        "fpdf": {"level": "WARNING"},
        # It writes addresses of people, tokens of robots and whole texts into its lines.
        "apprise": {"level": "CRITICAL"},
    },
}
