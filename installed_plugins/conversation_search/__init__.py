"""Conversation search: what was said before, for a model to look up."""
