"""JSON export: a conversation as a .json file that can be imported again."""
