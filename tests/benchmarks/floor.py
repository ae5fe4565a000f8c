"""The floor: a workbook read and copied as it is, nothing cleaned, checked or recorded.

python tests/benchmarks/floor.py FILE.xlsx URL [calamine|fastexcel]   prints the seconds of CPU after the imports
"""

import io
import sys
import time

import psycopg2
from psycopg2 import sql

SHEET = "规模明细"


def calamine_rows(path: str) -> tuple[list[str], io.BytesIO]:
    """The sheet through pandas, as CSV."""
    rows = pandas.read_excel(path, sheet_name=SHEET, engine="calamine")
    return [str(name) for name in rows.columns], io.BytesIO(rows.to_csv(index=False, header=False).encode())


def fastexcel_rows(path: str) -> tuple[list[str], io.BytesIO]:
    """The sheet as text columns of Arrow, as CSV."""
    table = pyarrow.table(fastexcel.read_excel(path).load_sheet(SHEET, dtypes="string").to_arrow())
    buffer = io.BytesIO()
    pyarrow.csv.write_csv(table, buffer, pyarrow.csv.WriteOptions(include_header=False))
    buffer.seek(0)
    return table.column_names, buffer


def copy(url: str, names: list[str], rows: io.BytesIO) -> None:
    """One unindexed table of text, dropped and filled in one transaction."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        table = sql.Identifier("floor")
        columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
        cursor.execute(sql.SQL("drop table if exists {}").format(table))
        cursor.execute(sql.SQL("create table {} ({})").format(table, columns))
        cursor.copy_expert(sql.SQL("copy {} from stdin with (format csv)").format(table), rows, size=1 << 18)
    connection.close()


if __name__ == "__main__":
    workbook, url, engine = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "calamine"
    if engine == "fastexcel":
        import fastexcel
        import pyarrow
        import pyarrow.csv
    else:
        import pandas
    began = time.process_time()
    names, rows = fastexcel_rows(workbook) if engine == "fastexcel" else calamine_rows(workbook)
    copy(url, names, rows)
    print(time.process_time() - began)
