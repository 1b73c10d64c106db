"""System prompt: what every model is told beforehand."""
