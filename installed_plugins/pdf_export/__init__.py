"""PDF export: a conversation as a .pdf file."""
