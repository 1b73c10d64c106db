"""CSV export: a conversation as a .csv file, a row for each message."""
