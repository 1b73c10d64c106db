"""Conversations, and the way from a message to a streamed answer."""
