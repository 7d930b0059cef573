"""Commands of ``python -m pipeline``: arguments and printing only; each calls a stage."""
