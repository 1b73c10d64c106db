"""Google Gemini: the Gemini models, by Google's own SDK."""
