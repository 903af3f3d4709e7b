"""The supervisor and its workers: processes that start, change generations and end together."""
