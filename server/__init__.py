"""The gRPC server: one generation in, answers out."""
