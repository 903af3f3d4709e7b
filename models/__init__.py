"""Torch alone: the heterogeneous GNN, the two towers, their losses and checkpoints."""
