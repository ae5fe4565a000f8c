"""Which company a row belongs to: comparable names, overrides, temporary ids."""
