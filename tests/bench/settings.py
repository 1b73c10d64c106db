"""The studio's settings, with an empty view to compare with."""

from aichat.settings import *  # noqa: F403

ROOT_URLCONF = "tests.bench.urls"
