"""Schemas, and the record of what each run did."""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

SCHEMAS = ("ledger", "mapping", "customer", "business", "enterprise", "system")


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"create schema if not exists {schema}")
    op.execute("""
        create table public.pipeline_executions (
          execution_id uuid primary key,
          pipeline_name text not null,
          started_at timestamptz not null,
          completed_at timestamptz,
          status text not null check (status in ('running', 'success', 'failed')),
          input_file_path text,
          rows_input bigint,
          rows_output bigint,
          rows_failed bigint,
          duration_ms bigint,
          error_message text,
          created_at timestamptz not null default now()
        )
    """)
    op.execute("create index on public.pipeline_executions (pipeline_name, started_at)")
    op.execute("""
        create table public.data_quality_metrics (
          metric_id bigint generated always as identity primary key,
          execution_id uuid not null references public.pipeline_executions on delete cascade,
          domain text,
          metric_name text not null,
          metric_value numeric,
          recorded_at timestamptz not null default now()
        )
    """)
    op.execute("create index on public.data_quality_metrics (execution_id)")
    op.execute("""
        create table ledger.loads (
          load_id bigint generated always as identity primary key,
          run_id text not null,
          domain text not null,
          period date,
          status text not null,
          started_at timestamptz not null,
          committed_at timestamptz,
          actor text not null,
          files jsonb not null default '[]',
          rows_read bigint not null default 0,
          rows_rejected bigint not null default 0,
          rows_deleted bigint not null default 0,
          rows_inserted bigint not null default 0,
          rows_updated bigint not null default 0,
          rows_unchanged bigint not null default 0,
          code_version text,
          config_version text,
          declaration_version text,
          parent_load_id bigint references ledger.loads
        )
    """)
    op.execute("create index on ledger.loads (domain, period, load_id)")


def downgrade() -> None:
    op.execute("drop table ledger.loads")
    op.execute("drop table public.data_quality_metrics")
    op.execute("drop table public.pipeline_executions")
    for schema in reversed(SCHEMAS):
        op.execute(f"drop schema {schema}")
