"""Trained models to ONNX, parity with torch, and the generation folder that a server reads."""
