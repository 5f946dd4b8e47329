"""What the two Django apps share: production settings, a database, and the same JSON.

Less than `startproject` gives: sessions, CSRF tokens and messages are not for an API, and
cost time at every request. What is left is in favour of the Django apps.
"""

import json
import os
from typing import Any

import django
from django.conf import settings
from django.core.management import call_command

_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"]
_MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.common.CommonMiddleware",
]

BODY = json.loads(os.environ["BENCH_BODY"])


def configure(urls: str, app: str, rest_framework: dict[str, Any]) -> None:
    """`urls` is the module with `urlpatterns`, `rest_framework` what `app`'s manual sets."""
    settings.configure(
        DEBUG=False,
        SECRET_KEY="of this benchmark alone, and long enough for Django's taste",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=urls,
        USE_TZ=True,
        INSTALLED_APPS=[*_APPS, app],
        MIDDLEWARE=_MIDDLEWARE,
        DATABASES={"default": _database()},
        DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
        # JSON alone: the pages to browse the API in are not for production.
        REST_FRAMEWORK=rest_framework
        | {"DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"]},
    )
    django.setup()


def migrate() -> None:
    call_command("migrate", verbosity=0)


def _database() -> dict[str, Any]:
    """Connections stay open; the write-ahead log is what Compass has too."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": os.environ["BENCH_DATABASE"],
        "CONN_MAX_AGE": None,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        },
    }
