"""Cohere: the Command and Embed models, by Cohere's own SDK."""
