"""What a running server tells about itself: logs, metrics, traces."""
