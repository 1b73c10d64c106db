"""Voice input: a UI plugin; everything it does is in ui/."""
