"""NWB files to recordings and back; one reader per kind of NWB object."""
