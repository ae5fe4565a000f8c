"""The pandera schema of a domain's gold rows, generated from its declaration.

The bulk path checks by columns while it parses (`kinds`, `refine`); this schema states the same
rules for notebooks and for the tests that hold the two against each other.
"""

import pandas as pd
import pandera.pandas as pa
import pyarrow

from work_data_hub.domain.kinds import DATE_DTYPE, PRECISION
from work_data_hub.domain.spec import Column, Domain, Kind


def gold_schema(domain: Domain) -> pa.DataFrameSchema:
    """A schema that accepts exactly what `refine` puts into gold; validate with `lazy=True`."""
    return pa.DataFrameSchema(
        {column.name: _column_schema(column) for column in domain.stored}, strict=False, name=domain.name
    )


def _column_schema(column: Column) -> pa.Column:
    return pa.Column(_dtype(column), checks=_checks(column), nullable=column.nullable, description=column.note or None)


def _dtype(column: Column) -> object:
    if column.is_number:
        return pd.ArrowDtype(pyarrow.decimal128(PRECISION[column.kind], column.scale))
    if column.kind in (Kind.MONTH, Kind.DATE):
        return DATE_DTYPE
    return pd.BooleanDtype() if column.kind is Kind.FLAG else pd.StringDtype()


def _checks(column: Column) -> list[pa.Check]:
    if column.kind in (Kind.TEXT, Kind.CODE):
        return [] if column.length is None else [pa.Check.str_length(max_value=column.length)]
    checks = []
    if column.lowest is not None:
        checks.append(pa.Check.ge(column.lowest))
    if column.highest is not None:
        checks.append(pa.Check.le(column.highest))
    return checks
