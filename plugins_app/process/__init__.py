"""What runs inside a plugin process. No Django, no database, no secrets but the plugin's own."""
