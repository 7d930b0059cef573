"""Grades of units: which should not be used, which are doubtful, and why."""
