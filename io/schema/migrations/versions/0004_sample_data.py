"""The table of the sample pipeline."""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table public.sample_data (
          id integer primary key,
          name text not null,
          amount numeric(18,2),
          day date,
          _load_id bigint
        )
    """)


def downgrade() -> None:
    op.execute("drop table public.sample_data")
