"""Rate limit: how many requests and tokens in how much time."""
