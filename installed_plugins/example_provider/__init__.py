"""Example provider: the complete example of a provider plugin."""
