"""The REST control plane of batch pipelines: it writes what is wanted, and runs nothing itself."""
