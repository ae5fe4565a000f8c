"""Customer master data: contracts with history, and what each month looked like."""
