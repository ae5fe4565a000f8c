"""Batch pipelines: their definitions, state and history, a demo source, and the marts they fill."""

from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

TABLES = (
    "etl.etl_seen_keys",
    "etl.etl_dlq",
    "etl.etl_events",
    "etl.etl_batches",
    "etl.etl_run_requests",
    "etl.etl_runs",
    "etl.etl_state",
    "etl.etl_leases",
    "etl.etl_workers",
    "etl.etl_pipeline_tasks",
    "etl.etl_pipelines",
    "analytics.film_rating_agg",
    "analytics.film_dim",
    "ugc.ratings",
    "content.film_work",
)
FUNCTIONS = (
    "etl.open_query(refcursor, text)",
    "etl.open_transactions(text)",
    "etl.guard_pipeline()",
    "etl.tell_of_pipeline()",
    "etl.keep_trail()",
    "etl.keep_run()",
)
SCHEMAS = ("etl", "analytics", "ugc", "content")


def upgrade() -> None:
    for schema in SCHEMAS:
        op.execute(f"create schema {schema}")
    for create in (_definitions, _moves, _liveness, _runs, _trail, _kept, _poison, _source, _marts, _reading):
        create()


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table {table}")
    for function in FUNCTIONS:
        op.execute(f"drop function {function}")
    for schema in SCHEMAS:
        op.execute(f"drop schema {schema}")


def _definitions() -> None:
    op.execute("""
        create table etl.etl_pipelines (
          id uuid primary key default gen_random_uuid(),
          name text not null constraint uq_pipeline_name unique,
          description text,
          type text not null default 'SQL' constraint pipeline_type check (type in ('SQL', 'PYTHON', 'ES')),
          source_query text,
          python_module text,
          target_table text not null,
          mode text not null default 'full' constraint pipeline_mode check (mode in ('full', 'incremental')),
          incremental_key text,
          incremental_id_key text,
          batch_size integer not null default 1000,
          enabled boolean not null default true,
          status text not null default 'IDLE' constraint pipeline_status check (
            status in ('IDLE', 'RUN_REQUESTED', 'RUNNING', 'PAUSE_REQUESTED', 'PAUSED', 'FAILED')
          ),
          unique_key text,
          strategy text not null default 'safe'
            constraint pipeline_strategy check (strategy in ('safe', 'overlap', 'xmin')),
          overlap_seconds numeric not null default 60 constraint pipeline_overlap check (overlap_seconds >= 0),
          null_key text not null default 'dlq'
            constraint pipeline_null_key check (null_key in ('error', 'dlq', 'first')),
          deletes text not null default 'ignore'
            constraint pipeline_deletes check (deletes in ('ignore', 'soft', 'hard')),
          throttle_ms integer not null default 0 constraint pipeline_throttle check (throttle_ms between 0 and 60000),
          dlq_max_rows integer not null default 1000 constraint pipeline_dlq_rows check (dlq_max_rows >= 0),
          dlq_max_ratio numeric not null default 0.1
            constraint pipeline_dlq_ratio check (dlq_max_ratio between 0 and 1),
          cron text,
          requested_at timestamptz,
          request_key text,
          request_trigger text,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now(),
          constraint pipeline_batch_size check (batch_size > 0)
        )
    """)
    op.execute("create index idx_pipeline_requested on etl.etl_pipelines (requested_at) where status = 'RUN_REQUESTED'")
    op.execute("""
        create table etl.etl_pipeline_tasks (
          id uuid primary key default gen_random_uuid(),
          pipeline_id uuid not null references etl.etl_pipelines (id),
          order_index integer not null,
          task_type text not null constraint task_type check (task_type in ('SQL', 'PYTHON')),
          body text not null,
          source_table text,
          target_table text,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now(),
          constraint uq_task_order unique (pipeline_id, order_index)
        )
    """)


def _moves() -> None:
    """The table of moves, in force for everybody who writes: the API, a runner, or a person with psql."""
    op.execute("""
        create function etl.guard_pipeline() returns trigger language plpgsql as $$
        begin
          if tg_op = 'INSERT' then
            if new.status not in ('IDLE', 'RUN_REQUESTED', 'PAUSED') then
              raise exception 'a pipeline cannot begin as %', new.status using errcode = '23514';
            end if;
          elsif old.status is distinct from new.status and (old.status, new.status) not in (
            ('IDLE', 'RUN_REQUESTED'), ('IDLE', 'PAUSED'),
            ('RUN_REQUESTED', 'RUNNING'), ('RUN_REQUESTED', 'PAUSED'),
            ('RUNNING', 'IDLE'), ('RUNNING', 'PAUSE_REQUESTED'), ('RUNNING', 'FAILED'), ('RUNNING', 'RUN_REQUESTED'),
            ('PAUSE_REQUESTED', 'PAUSED'), ('PAUSE_REQUESTED', 'RUNNING'), ('PAUSE_REQUESTED', 'RUN_REQUESTED'),
            ('PAUSE_REQUESTED', 'FAILED'), ('PAUSE_REQUESTED', 'IDLE'),
            ('PAUSED', 'RUN_REQUESTED'), ('FAILED', 'RUN_REQUESTED')
          ) then
            raise exception 'pipeline % cannot go from % to %', new.name, old.status, new.status
              using errcode = '23514', constraint = 'pipeline_move';
          end if;
          new.updated_at := now();
          if new.status = 'RUN_REQUESTED' and new.requested_at is null then
            new.requested_at := now();
          end if;
          return new;
        end
        $$
    """)
    op.execute("""
        create trigger guard_pipeline before insert or update on etl.etl_pipelines
        for each row execute function etl.guard_pipeline()
    """)


def _liveness() -> None:
    # Apart from the pipelines and from each other: a heartbeat never waits for a batch, nor a batch for the API.
    op.execute("""
        create table etl.etl_workers (
          worker_id text primary key,
          started_at timestamptz not null default now(),
          heartbeat_at timestamptz not null default now(),
          host text not null,
          pid integer not null,
          version text not null
        )
    """)
    op.execute("""
        create table etl.etl_leases (
          pipeline_id uuid primary key references etl.etl_pipelines (id),
          owner text,
          epoch bigint not null default 0,
          claimed_at timestamptz,
          recoveries integer not null default 0
        )
    """)
    op.execute("""
        create table etl.etl_state (
          pipeline_id uuid primary key references etl.etl_pipelines (id),
          last_processed_value text,
          last_processed_id text,
          updated_at timestamptz not null default now()
        )
    """)


def _runs() -> None:
    op.execute("""
        create table etl.etl_runs (
          id uuid primary key default gen_random_uuid(),
          pipeline_id uuid not null references etl.etl_pipelines (id),
          started_at timestamptz not null default clock_timestamp(),
          finished_at timestamptz,
          rows_read bigint not null default 0,
          rows_written bigint not null default 0,
          rows_inserted bigint not null default 0,
          rows_updated bigint not null default 0,
          rows_unchanged bigint not null default 0,
          rows_rescanned bigint not null default 0,
          rows_deleted bigint not null default 0,
          rows_dlq bigint not null default 0,
          rows_stale bigint not null default 0,
          status text not null default 'RUNNING'
            constraint run_status check (status in ('RUNNING', 'SUCCESS', 'FAILED', 'PAUSED')),
          error_message text constraint run_error_length check (char_length(error_message) <= 2000),
          attempt integer not null default 1,
          trigger text,
          idempotency_key text,
          worker text,
          epoch bigint,
          resumed_from uuid references etl.etl_runs (id),
          definition jsonb,
          warnings jsonb not null default '[]',
          constraint run_is_closed check ((status = 'RUNNING') = (finished_at is null))
        )
    """)
    op.execute("create index idx_run_newest on etl.etl_runs (pipeline_id, started_at desc)")
    op.execute("create unique index uq_run_alive on etl.etl_runs (pipeline_id) where status = 'RUNNING'")
    op.execute("create unique index uq_run_key on etl.etl_runs (pipeline_id, idempotency_key)")
    op.execute("""
        create table etl.etl_run_requests (
          pipeline_id uuid not null references etl.etl_pipelines (id),
          idempotency_key text not null,
          requested_at timestamptz not null default now(),
          primary key (pipeline_id, idempotency_key)
        )
    """)


def _trail() -> None:
    op.execute("""
        create table etl.etl_batches (
          run_id uuid not null references etl.etl_runs (id),
          seq integer not null,
          cursor_from jsonb,
          cursor_to jsonb,
          rows_read bigint not null,
          rows_written bigint not null,
          rows_dlq bigint not null default 0,
          content_hash text,
          epoch bigint not null,
          committed_at timestamptz not null default clock_timestamp(),
          primary key (run_id, seq)
        )
    """)
    op.execute("""
        create table etl.etl_events (
          id bigint generated always as identity primary key,
          pipeline_id uuid not null references etl.etl_pipelines (id),
          from_status text constraint event_from_status check (
            from_status in ('IDLE', 'RUN_REQUESTED', 'RUNNING', 'PAUSE_REQUESTED', 'PAUSED', 'FAILED')
          ),
          to_status text not null constraint event_to_status check (
            to_status in ('IDLE', 'RUN_REQUESTED', 'RUNNING', 'PAUSE_REQUESTED', 'PAUSED', 'FAILED')
          ),
          actor text not null,
          epoch bigint,
          reason text,
          at timestamptz not null default clock_timestamp()
        )
    """)
    op.execute("create index idx_event_pipeline on etl.etl_events (pipeline_id, id)")
    op.execute("""
        create function etl.tell_of_pipeline() returns trigger language plpgsql as $$
        begin
          insert into etl.etl_events (pipeline_id, from_status, to_status, actor, epoch, reason)
          values (
            new.id, case when tg_op = 'UPDATE' then old.status end, new.status,
            coalesce(nullif(current_setting('etl.actor', true), ''), session_user),
            (select epoch from etl.etl_leases where pipeline_id = new.id),
            nullif(current_setting('etl.reason', true), '')
          );
          -- Requests wake runners; nothing else is told, least of all batches.
          if new.status in ('RUN_REQUESTED', 'PAUSE_REQUESTED') then
            perform pg_notify('etl_pipelines', new.id::text);
          end if;
          return null;
        end
        $$
    """)
    op.execute("""
        create trigger tell_of_new_pipeline after insert on etl.etl_pipelines
        for each row execute function etl.tell_of_pipeline()
    """)
    op.execute("""
        create trigger tell_of_pipeline after update on etl.etl_pipelines
        for each row when (old.status is distinct from new.status) execute function etl.tell_of_pipeline()
    """)


def _kept() -> None:
    """What happened stays: batches and events are only ever added, and a run that has ended stays as it ended."""
    op.execute("""
        create function etl.keep_trail() returns trigger language plpgsql as $$
        begin
          raise exception 'the rows of % are only ever added', tg_table_name
            using errcode = '23514', constraint = 'trail_is_kept';
        end
        $$
    """)
    for table in ("etl_batches", "etl_events"):
        op.execute(f"""
            create trigger keep_trail before update or delete on etl.{table}
            for each row execute function etl.keep_trail()
        """)
    op.execute("""
        create function etl.keep_run() returns trigger language plpgsql as $$
        begin
          raise exception 'run % is %, and stays as it is', old.id, old.status
            using errcode = '23514', constraint = 'run_is_kept';
        end
        $$
    """)
    op.execute("""
        create trigger keep_run before update on etl.etl_runs
        for each row when (old.status <> 'RUNNING') execute function etl.keep_run()
    """)
    op.execute("""
        create trigger keep_run_at_all before delete on etl.etl_runs
        for each row execute function etl.keep_run()
    """)


def _poison() -> None:
    op.execute("""
        create table etl.etl_dlq (
          id bigint generated always as identity primary key,
          pipeline_id uuid not null references etl.etl_pipelines (id),
          run_id uuid references etl.etl_runs (id),
          seq integer,
          target text not null,
          key text,
          cursor jsonb,
          payload jsonb not null,
          fingerprint text not null,
          sqlstate text,
          error text not null,
          attempt integer not null default 1,
          as_of timestamptz,
          created_at timestamptz not null default clock_timestamp(),
          seen_at timestamptz not null default clock_timestamp(),
          replay_requested_at timestamptz,
          replay_requested_by text,
          replayed_at timestamptz,
          is_superseded boolean not null default false,
          constraint superseded_is_settled check (replayed_at is not null or not is_superseded)
        )
    """)
    op.execute("create index idx_dlq_pipeline on etl.etl_dlq (pipeline_id, id)")
    op.execute("create unique index uq_dlq_row on etl.etl_dlq (pipeline_id, fingerprint) where replayed_at is null")
    op.execute("create index idx_dlq_key on etl.etl_dlq (target, key) where replayed_at is null")
    op.execute("""
        create index idx_dlq_requested on etl.etl_dlq (pipeline_id)
        where replay_requested_at is not null and replayed_at is null
    """)
    # The keys that a full scan has seen, kept only while deletes are to be found.
    op.execute("""
        create table etl.etl_seen_keys (
          run_id uuid not null references etl.etl_runs (id),
          key text not null,
          primary key (run_id, key)
        )
    """)


def _source() -> None:
    op.execute("""
        create table content.film_work (
          id uuid primary key,
          title text not null,
          rating numeric,
          updated_at timestamptz default now()
        )
    """)
    op.execute("create index idx_film_work_updated on content.film_work (updated_at, id)")
    op.execute("""
        create table ugc.ratings (
          id bigint generated always as identity primary key,
          film_id uuid not null,
          user_id uuid not null,
          rating numeric not null,
          created_at timestamptz not null default now()
        )
    """)
    op.execute("create index idx_ratings_film on ugc.ratings (film_id)")


def _marts() -> None:
    op.execute("""
        create table analytics.film_dim (
          film_id uuid primary key,
          title text not null,
          rating numeric,
          updated_at timestamptz not null default now(),
          deleted_at timestamptz
        )
    """)
    op.execute("""
        create table analytics.film_rating_agg (
          film_id uuid primary key,
          avg_rating double precision,
          rating_count integer,
          updated_at timestamptz not null default now(),
          deleted_at timestamptz
        )
    """)


def _reading() -> None:
    # A cursor takes one statement: whatever follows a semicolon is refused, not executed.
    op.execute("""
        create function etl.open_query(name refcursor, statement text) returns refcursor language plpgsql as $$
        begin
          open name no scroll for execute statement;
          return name;
        end
        $$
    """)
    # Who may read sources sees by it since when others write, and nothing of what they write. It runs with the rights
    # of its owner, who may see the sessions of others; `is_hidden` says where he may not.
    op.execute("""
        create function etl.open_transactions(reader text)
        returns table (pid integer, usename name, application_name text, began timestamptz, is_hidden boolean)
        language sql security definer set search_path = pg_catalog, pg_temp as $$
          select
            activity.pid,
            activity.usename,
            activity.application_name,
            case
              -- Such a session cleans up behind itself, as it does when it ends with temporary tables; it adds no rows.
              when activity.state = 'idle' then null
              when activity.xact_start is not null then activity.xact_start
              -- Its time is taken, and its transaction about to begin.
              when activity.state in ('active', 'fastpath function call') then activity.query_start
            end,
            activity.backend_type is null or activity.state = 'disabled'
          from pg_catalog.pg_stat_activity as activity
          where activity.datname = current_database()
            and activity.pid <> pg_backend_pid()
            and activity.usesysid is not null
            and coalesce(activity.backend_type, 'client backend') = 'client backend'
            and not (starts_with(coalesce(activity.application_name, ''), reader) and activity.backend_xid is null)
        $$
    """)
    op.execute("revoke execute on function etl.open_transactions(text) from public")
