"""The believable pharmacy: a chain with a year of life, on SQLite, on this machine alone."""
