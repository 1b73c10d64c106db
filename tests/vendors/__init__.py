"""Servers that speak the wire formats of model vendors, over real HTTP, with the faults that real ones have."""
