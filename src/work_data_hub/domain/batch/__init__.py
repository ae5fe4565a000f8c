"""Batch pipelines: what one is, the moves of its status, its tasks, targets and counts. Pure."""
