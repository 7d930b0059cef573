"""Encoding models: what each unit would answer to any stimulus, learned from what it did answer."""
