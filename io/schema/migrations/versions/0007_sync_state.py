"""How far each sync of a reference table has come, and which rows a replacing one has delivered."""

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
    op.execute("""
        create table system.synced_keys (
          job_name text not null,
          table_name text not null,
          key text not null,
          key_column text not null,
          primary key (job_name, table_name, key)
        )
    """)


def downgrade() -> None:
    op.execute("drop table system.synced_keys")
    op.execute("drop table system.sync_state")
