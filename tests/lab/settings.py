"""The studio's settings for the lab: whoever cannot reach the database is told soon."""

from aichat.settings import *  # noqa: F403 -- these are its values, but for the ones below
from aichat.settings import DATABASES

DATABASES["default"]["OPTIONS"]["pool"] |= {"timeout": 1.0, "reconnect_timeout": 0.5}
LOGGING_CONFIG = None
