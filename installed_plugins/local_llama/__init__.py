"""Local llama: a small real language model, run by llama.cpp inside the plugin's own process."""
