"""Token meter: a UI plugin; everything it does is in ui/."""
