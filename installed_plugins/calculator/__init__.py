"""Calculator: exact arithmetic and unit conversion for people and models."""
