"""Offline: the data contract, from a folder of files to a checked data set and its rows' order."""
