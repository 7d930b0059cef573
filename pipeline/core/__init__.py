"""The vocabulary: records, axes, errors, random streams. Knows no files and no methods."""
