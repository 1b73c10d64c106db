"""Prompt library: saved prompts of each person, kept by plugin.py and shown by ui/."""
