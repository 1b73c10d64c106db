"""What is read: never a write, never plugin code."""
