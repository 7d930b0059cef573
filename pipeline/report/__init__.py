"""Sections to self-contained HTML pages. Knows no method."""
