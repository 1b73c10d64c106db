"""HTML export: a conversation as one .html file."""
