"""Tests here look at the whole system from outside; `studio` and `plugin_folder` are in tests/conftest.py."""
