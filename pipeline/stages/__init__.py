"""The only place where files, settings and functions meet. One module a stage."""
