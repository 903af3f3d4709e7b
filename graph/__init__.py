"""Offline: the data contract, splits in time, the item-item graph and its samplers."""
