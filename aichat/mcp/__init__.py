"""The studio's own tools and conversations as an MCP server at `/mcp`."""
