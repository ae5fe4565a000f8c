"""The years that were opened before any month of them was there."""

from work_data_hub.io.postgres import Cursor


def record_cut_over(cursor: Cursor, year: int, *, actor: str) -> None:
    """Note that the year is open, since when and by whom."""
    cursor.execute("insert into customer.contract_years (status_year, actor) values (%s, %s)", (year, actor))
