"""Python runner: code that a model writes, run where it can harm nothing."""
