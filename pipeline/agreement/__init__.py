"""Labels of all methods held against each other, unit by unit and moment by moment."""
