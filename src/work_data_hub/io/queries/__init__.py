"""The named queries in the .sql files beside this page."""
