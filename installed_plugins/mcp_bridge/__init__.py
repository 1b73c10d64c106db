"""MCP bridge: the tools, resources and prompts of any MCP server."""
