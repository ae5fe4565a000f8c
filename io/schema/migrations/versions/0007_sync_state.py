"""How far each sync of a reference table has come."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table system.sync_state (
          job_name text not null,
          table_name text not null,
          last_synced_at timestamptz,
          rows bigint not null,
          job_version text not null,
          updated_at timestamptz not null default now(),
          primary key (job_name, table_name)
        )
    """)


def downgrade() -> None:
    op.execute("drop table system.sync_state")
