"""The Django project of AI Chat Studio."""
