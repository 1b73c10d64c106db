"""Fetch page: the readable text of a page, a PDF or a text on the web."""
