"""Django's settings. What can change comes from the environment, checked in `aichat.environment`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import dj_database_url

from aichat.environment import InvalidEnvironmentError, read_environment
from aichat.keys import load_or_create_key

try:
    ENVIRONMENT = read_environment()
except InvalidEnvironmentError as error:
    sys.exit(str(error))

BASE_DIR = Path(__file__).resolve().parent.parent
STUDIO_DATA, STUDIO_RUN = ENVIRONMENT.data, ENVIRONMENT.run
STUDIO_STORE, STUDIO_ENVS = ENVIRONMENT.store, ENVIRONMENT.envs
STUDIO_PLUGINS, STUDIO_NODE = ENVIRONMENT.plugins, ENVIRONMENT.node
STUDIO_NODE_EXPIRY = ENVIRONMENT.node_expiry
STUDIO_WEBHOOK_ALLOW, STUDIO_WEBHOOK_SCHEDULE = ENVIRONMENT.webhook_allow, ENVIRONMENT.webhook_schedule
STUDIO_MCP_DESTRUCTIVE = ENVIRONMENT.mcp_destructive
STUDIO_WEBHOOK_FAILURES = 20  # so many attempts in a row must have failed before a webhook is disabled
STUDIO_TITLES = ENVIRONMENT.titles
STUDIO_DELETED_DAYS, STUDIO_IDLE_DAYS = ENVIRONMENT.deleted_days, ENVIRONMENT.idle_days
STUDIO_ATTACHMENT_BYTES = ENVIRONMENT.attachment_mb * 10**6
STUDIO_ATTACHMENTS_WAITING_BYTES = ENVIRONMENT.waiting_mb * 10**6  # of one user, for a message
STUDIO_ATTACHMENTS_WAITING = 500
STUDIO_ATTACHMENT_PIXELS = 20_000_000
STUDIO_ATTACHMENT_PAGES = 1000  # of a PDF
STUDIO_ATTACHMENT_CHARACTERS = 200_000  # what a model gets of one file at most
STUDIO_VERSION = "1.0.0"
REDIS_URL = ENVIRONMENT.redis_py_url

STUDIO_DATA.mkdir(mode=0o700, parents=True, exist_ok=True)
SECRET_KEY = load_or_create_key(STUDIO_DATA / "django.key")
DEBUG = ENVIRONMENT.debug
ALLOWED_HOSTS = list(ENVIRONMENT.allowed_hosts)

INSTALLED_APPS = [
    "plugins_app",
    "aichat.chat",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_jsonform",
    # Its pages are found where they are served, in aichat.urls: the workers need neither them nor their 25 MiB.
    "django.contrib.admin.apps.SimpleAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "plugins_app.api.patience.PatientReads",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "aichat.urls"
ASGI_APPLICATION = "aichat.asgi.application"
APPEND_SLASH = False  # the API answers with and without the slash itself
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "frontend" / "dist"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

_DATABASE: dict[str, Any] = dict(dj_database_url.parse(ENVIRONMENT.database_url))
if _DATABASE["ENGINE"] == "django.db.backends.sqlite3":
    _DATABASE["CONN_MAX_AGE"] = 300  # the web server's threads live long: each keeps its connection
    # IMMEDIATE: a transaction that will write waits for its turn at the start, where waiting is safe.
    _DATABASE["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    # One is taken for a query, never for a wait: 16 are enough for all threads of a process.
    # While the server is away the pool gives up after a second, and `aichat.postgresql` has it begin anew.
    _DATABASE["OPTIONS"] = {"pool": {"min_size": 1, "max_size": 16, "timeout": 1, "reconnect_timeout": 1}}
    _DATABASE["ENGINE"] = "aichat.postgresql"
DATABASES = {"default": _DATABASE}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
LOGIN_URL = "/login"
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "SAMEORIGIN"
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 2**20

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"

STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
    # How versions of plugins reach other machines: a directory that they share, or any other storage of Django's.
    "plugins": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": ENVIRONMENT.packages},
    },
}
STATIC_URL = "/static/"
STATIC_ROOT = STUDIO_DATA / "static"
STATICFILES_DIRS = [path for path in [BASE_DIR / "frontend" / "dist"] if path.is_dir()]
WHITENOISE_USE_FINDERS = True  # no collectstatic step between a build and its page
WHITENOISE_AUTOREFRESH = DEBUG

CELERY_BROKER_URL = ENVIRONMENT.celery_broker_url
CELERY_TASK_IGNORE_RESULT = True  # the Execution row is the result
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3600,
    "socket_keepalive": False,
    "socket_timeout": 5,  # a server that hangs is one that is away: nobody waits for it for ever
    "socket_connect_timeout": 2,
}
CELERY_BEAT_SCHEDULE = {  # each finds again what a lost message or a dead process left behind
    "releases": {"task": "plugins_app.tasks.releases_settle", "schedule": 30.0},
    "environments": {"task": "plugins_app.tasks.environments_resume", "schedule": 60.0},
    "disk": {"task": "plugins_app.tasks.disk_resume", "schedule": 60.0},
    "tidying": {"task": "plugins_app.tasks.disk_tidy", "schedule": 6 * 3600.0},
    "executions": {"task": "plugins_app.tasks.executions_reap", "schedule": 10.0},
    "webhooks": {"task": "plugins_app.tasks.webhooks_resume", "schedule": 10.0},
    "conversations": {"task": "aichat.chat.tasks.conversations_tidy", "schedule": 3600.0},
    "records": {"task": "plugins_app.tasks.records_prune", "schedule": 3600.0},
    "nodes": {"task": "plugins_app.tasks.nodes_expire", "schedule": min(60.0, STUDIO_NODE_EXPIRY)},
}
CELERY_TASK_ROUTES = {"plugins_app.tasks.webhook_deliver": {"queue": "webhooks"}}  # for the courier alone
# What concerns one machine's disk is for the workers of that machine.
CELERY_TASK_ROUTES |= {
    f"plugins_app.tasks.{task}": {"queue": f"node.{STUDIO_NODE}"}
    for task in ("environment_install", "environments_resume", "package_share", "disk_resume", "disk_tidy")
}
CELERY_BEAT_SCHEDULER = "aichat.beat:SteadyScheduler"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "plugins_app.api.authentication.ApiKeyAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["plugins_app.api.rendering.StudioJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "plugins_app.api.pagination.StudioPagination",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "plugins_app.api.problems.exception_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "AI Chat Studio",
    "VERSION": STUDIO_VERSION,
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "OAS_VERSION": "3.1.0",  # its schemas are JSON Schema 2020-12, as plugins' own are
    "PREPROCESSING_HOOKS": ["plugins_app.api.schema.without_trailing_slash"],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "aichat.chat.openapi.add_chat_routes",
        "aichat.chat.v1.openapi.add_v1_routes",
    ],
    "SCHEMA_PATH_PREFIX": "/api/",
    "ENUM_NAME_OVERRIDES": {
        "PluginStateEnum": "plugins_app.states.STATE_CHOICES",
        "ExecutionStatusEnum": "plugins_app.models.Execution.Status",
        "DeliveryStatusEnum": "plugins_app.models.WebhookDelivery.Status",
        "HealthStatusEnum": ["ok", "down"],
    },
    "SWAGGER_UI_DIST": "SIDECAR",  # the page works without a network
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"stderr": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "django.request": {"level": "ERROR"},
        "django.server": {"level": "ERROR"},
        "psycopg.pool": {"level": "ERROR"},  # who wanted a connection says that there is none
    },
}
