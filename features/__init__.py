"""Records to arrays, the same for training and for serving; never loads torch."""
