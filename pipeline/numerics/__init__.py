"""Mathematics shared by methods. No neuroscience words, no files."""
