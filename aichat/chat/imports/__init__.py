"""Conversations from elsewhere: each format is a module that turns its own into `shapes`."""
