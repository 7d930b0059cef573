"""From a recording to what methods see. Pure functions of records and settings."""
