"""WorkDataHub: monthly pension workbooks into a PostgreSQL warehouse one can trust."""

__version__ = "0.1.0"
