"""Tests in this directory look at the whole system from outside: `studio` and `plugin_folder` are in tests/conftest.py."""
