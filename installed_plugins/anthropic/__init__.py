"""Anthropic: the Claude models, by Anthropic's own SDK."""
