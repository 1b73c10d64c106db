"""Budget: how many tokens and how much money in a month."""
