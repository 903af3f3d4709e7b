"""Offline: train the foundation and the adaptation, evaluate them beside baselines."""
