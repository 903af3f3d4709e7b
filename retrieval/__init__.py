"""Vectors to the top k: exact and approximate indexes behind one Protocol."""
