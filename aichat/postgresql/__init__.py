"""Django's PostgreSQL backend, whose pool gets over a restarted server at once."""
