"""The wire contract nearfield.v1, generated from protos/; never edited by hand."""
