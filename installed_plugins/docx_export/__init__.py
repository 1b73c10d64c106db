"""Word export: a conversation as a .docx file."""
