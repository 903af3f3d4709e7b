"""What telemetry costs each call."""
