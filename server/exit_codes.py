"""With what status the server ends; apart from errors, so that settings are read at once."""

FAULT = 1
WRONG_SETTINGS = 2
WRONG_GENERATION = 3
CANNOT_LISTEN = 4
CANNOT_START = 5
