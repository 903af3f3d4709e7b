"""Offline: what is held out, the item-item graph and its samplers."""
