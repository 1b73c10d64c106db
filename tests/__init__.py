"""Tests of AI Chat Studio; `make test` runs them all."""
