"""What a load put into the warehouse, added up again by the server for each stated total."""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import accumulate

from psycopg2 import sql

from work_data_hub.domain.control_totals import ControlTotal
from work_data_hub.domain.spec import Domain
from work_data_hub.io.copying import table_identifier
from work_data_hub.io.postgres import Cursor


def loaded_sums(
    cursor: Cursor, domain: Domain, *, month: date, load_id: int, controls: Sequence[ControlTotal]
) -> tuple[Decimal, ...]:
    """The sum of each control's column over the rows this load put in for it, in the order of `controls`.

    The rows are read once, however many totals there are: the server adds up between the rows where a
    total begins or ends.
    """
    if not controls:
        return ()
    columns = list(dict.fromkeys(control.column for control in controls))
    edges = sorted({edge for control in controls for edge in _edges(control)})
    statement = sql.SQL(
        "select _source_file, _source_sheet, width_bucket(_source_row, %(edges)s::int[]), {sums}"
        " from {table} where {month} = %(month)s and _load_id = %(load_id)s group by 1, 2, 3"
    ).format(
        sums=sql.SQL(", ").join(sql.SQL("coalesce(sum({}), 0)").format(sql.Identifier(name)) for name in columns),
        table=table_identifier(domain.table),
        month=sql.Identifier(domain.load.column),
    )
    cursor.execute(statement, {"edges": edges, "month": month, "load_id": load_id})
    pieces: dict[tuple[str, str, str], dict[int, Decimal]] = {}
    for file, sheet, piece, *sums in cursor.fetchall():
        for name, total in zip(columns, sums, strict=True):
            pieces.setdefault((file, sheet, name), {})[piece] = total
    running = {
        place: [Decimal(0), *accumulate(found.get(piece, Decimal(0)) for piece in range(len(edges) + 1))]
        for place, found in pieces.items()
    }
    return tuple(_between(running, control, edges=edges) for control in controls)


def _edges(control: ControlTotal) -> tuple[int, int]:
    return control.total.first_row, control.total.last_row + 1


def _between(
    running: Mapping[tuple[str, str, str], list[Decimal]], control: ControlTotal, *, edges: list[int]
) -> Decimal:
    """What lies between the rows where the total begins and ends; pieces are numbered as width_bucket does."""
    total = control.total
    sums = running.get((total.file, total.sheet, control.column))
    begin, end = (bisect_right(edges, row) for row in (total.first_row, total.last_row))
    return sums[end + 1] - sums[begin] if sums else Decimal(0)
