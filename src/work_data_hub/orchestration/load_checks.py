"""What a load is held to inside its transaction: its rows, its stated totals, and the month before."""

from dataclasses import replace
from decimal import Decimal

from work_data_hub.domain.anomalies import MonthReview, month_figures, review_month
from work_data_hub.domain.control_totals import loaded
from work_data_hub.domain.loads import LoadEffects
from work_data_hub.domain.plans import LoadMode, LoadPlan
from work_data_hub.io.control_totals import loaded_sums
from work_data_hub.io.month_history import figures_of_month_before
from work_data_hub.io.month_load import rows_held
from work_data_hub.io.postgres import Cursor


def verified(cursor: Cursor, plan: LoadPlan, effects: LoadEffects, *, load_id: int) -> LoadEffects:
    """The effects with what the warehouse now holds of rows and each stated total, and the month beside the one before.

    An upsert leaves equal rows to the load they came with, so that there is no sum of its own to compare.
    Raises RowsNotKept and TotalsDiffer where the warehouse holds other rows or another sum than were cleaned.
    """
    held, controls = rows_held(cursor, plan, load_id=load_id), plan.controls
    if not plan.skip_facts and plan.mode is not LoadMode.UPSERT:
        sums = loaded_sums(cursor, plan.domain, month=plan.period, load_id=load_id, controls=controls)
        controls = loaded(controls, sums, domain=plan.domain.name)
    return replace(effects, controls=controls, review=month_review(cursor, plan), held=held)


def month_review(cursor: Cursor, plan: LoadPlan) -> MonthReview | None:
    """The month beside the one before; None where the rows are not the whole month."""
    if not plan.is_whole_month:
        return None
    return review_month(
        plan.domain,
        month_figures(plan.domain, plan.gold),
        before=figures_of_month_before(cursor, plan.domain, month=plan.period),
        month=plan.period,
        share=plan.anomaly_share,
    )


def figures(effects: LoadEffects) -> dict[str, Decimal]:
    """The numbers of the month that `public.data_quality_metrics` keeps, by name."""
    return effects.review.metrics if effects.review else {}
