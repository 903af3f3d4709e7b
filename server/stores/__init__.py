"""Where the server reads state that outlives a request."""
