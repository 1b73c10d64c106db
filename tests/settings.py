"""The studio's settings with a data directory of its own, so that a test run never touches anybody's studio."""

import atexit
import os
import shutil
import tempfile

_DATABASE_URL = os.environ.get("TEST_DATABASE_URL", "")  # an empty PostgreSQL database; SQLite without it
_DATA = tempfile.mkdtemp(prefix="st-", dir="/tmp")  # short: sockets live below it
atexit.register(shutil.rmtree, _DATA, ignore_errors=True)
for _name in [name for name in os.environ if name.startswith(("STUDIO_", "REDIS_URL", "DATABASE_URL", "PORT", "DEV"))]:
    del os.environ[_name]
os.environ["STUDIO_DATA"] = _DATA
if _DATABASE_URL:
    os.environ["DATABASE_URL"] = _DATABASE_URL

from aichat.settings import *  # noqa: E402, F403 -- these are its values, but for the ones below
from aichat.settings import DATABASES, STUDIO_DATA  # noqa: E402

if _DATABASE_URL:
    DATABASES["default"]["OPTIONS"].pop("pool")  # its connections outlive the tests that made them
else:
    DATABASES["default"]["TEST"] = {"NAME": str(STUDIO_DATA / "test.sqlite3")}  # a file: threads and processes share it
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # a good one takes 0.3 s, on purpose
STUDIO_TITLES = "words"  # a title is one more call of a provider, which a test that counts them does not expect
