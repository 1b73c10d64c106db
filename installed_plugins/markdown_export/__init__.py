"""Markdown export: a conversation as a .md file."""
