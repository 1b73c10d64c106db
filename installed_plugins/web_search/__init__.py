"""Web search by SearXNG, Brave or DuckDuckGo."""
