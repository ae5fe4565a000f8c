"""Rejected rows of each load, and what their owners sent back."""

from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table ledger.rejected_rows (
          reject_id bigint generated always as identity primary key,
          load_id bigint not null references ledger.loads,
          domain text not null,
          period date not null,
          file_sha256 text not null,
          file text not null,
          sheet text not null,
          row_number integer not null,
          cells jsonb not null default '[]',
          status text not null check (status in ('open', 'fixed', 'waived')),
          settled_by_load bigint references ledger.loads,
          settled_at timestamptz,
          settled_by text,
          unique (load_id, file_sha256, sheet, row_number),
          check ((status = 'fixed') <= (settled_by_load is not null))
        )
    """)
    op.execute("create index on ledger.rejected_rows (domain, file_sha256)")
    op.execute("""
        create table ledger.corrections (
          domain text not null,
          file_sha256 text not null,
          sheet text not null,
          row_number integer not null,
          column_name text not null,
          value text,
          found text,
          load_id bigint not null references ledger.loads,
          actor text not null,
          corrected_at timestamptz not null default clock_timestamp(),
          primary key (domain, file_sha256, sheet, row_number, column_name)
        )
    """)
    op.execute("""
        create table ledger.waivers (
          domain text not null,
          file_sha256 text not null,
          sheet text not null,
          row_number integer not null,
          reason text,
          workbook text,
          load_id bigint not null references ledger.loads,
          actor text not null,
          waived_at timestamptz not null default clock_timestamp(),
          primary key (domain, file_sha256, sheet, row_number)
        )
    """)


def downgrade() -> None:
    for table in ("waivers", "corrections", "rejected_rows"):
        op.execute(f"drop table ledger.{table}")
