"""Prompt guard: what must not reach a model, does not."""
