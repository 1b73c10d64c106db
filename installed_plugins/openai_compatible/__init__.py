"""OpenAI-compatible: models behind any server that speaks OpenAI's wire format."""
