"""Runs composed from domain and io, with and without Dagster."""
