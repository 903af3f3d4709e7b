"""The guided tour: real films, a real build, a real server, seen through the SDK."""
