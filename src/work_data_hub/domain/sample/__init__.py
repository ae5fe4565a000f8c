"""Invented months of workbooks: seeded companies, plans and rows, written as people write them."""
