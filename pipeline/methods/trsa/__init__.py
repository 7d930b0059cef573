"""Topology and geometry of representations (Lin & Kriegeskorte 2024)."""
