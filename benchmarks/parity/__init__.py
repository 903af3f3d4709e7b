"""How far the same network computes alike in two libraries."""
