"""Response cache: an answer that was given before is given again."""
