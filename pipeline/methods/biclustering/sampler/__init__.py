"""Moves of the Markov chain, one file each, and the chain that is made of them."""
