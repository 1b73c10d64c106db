"""What changes the studio: one transaction each, named `<entity>_<action>`, keyword arguments only."""
