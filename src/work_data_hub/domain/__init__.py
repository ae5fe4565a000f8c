"""Rules over values and frames; no clock, disk, database or network."""
