"""What whoever declares a pipeline should know although nothing is wrong with it."""

from work_data_hub.domain.batch.pipeline import Pipeline

_CRON = (
    "cron: Dagster makes schedules of the files in config/pipelines alone, when it loads its code location; "
    "declare the pipeline there, let Dagster load its code again, and start the schedule"
)
_NO_CRON = (
    "cron: a schedule that Dagster has asks for runs until no file declares it and Dagster has loaded its code again"
)


def notes_of_change(before: Pipeline | None, after: Pipeline) -> tuple[str, ...]:
    """What is left to do once the one has become the other, a sentence each; `before` is None for a new pipeline."""
    had = before.cron if before else None
    if after.cron == had:
        return ()
    return (_CRON if after.cron else _NO_CRON,)
