"""Functional cell types: clusters of units, each with the stimulus that tells it apart."""
