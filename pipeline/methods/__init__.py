"""One folder a method; all folders have the same rooms. Methods do not know each other."""
