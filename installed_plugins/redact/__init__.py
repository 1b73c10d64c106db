"""Redact: keeps personal data and keys from reaching a model."""
