"""Clusters of units and states of the population from spike counts, after Wei (2023)."""
