"""Figure data to static drawings for papers, one file a kind of figure."""
