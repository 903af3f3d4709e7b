"""Where the time of one Recommend goes."""
