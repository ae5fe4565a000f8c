"""Films copied by two pipelines, with a trail that the database keeps of it: what was lost, doubled or left over."""

from typing import Any

from tests.runner_pipelines import add_films, ask, do, statuses
from work_data_hub.io.postgres import Connection

FILMS = 300
PIPELINES = """
    insert into etl.etl_pipelines
      (name, mode, source_query, target_table, unique_key, incremental_key, incremental_id_key, batch_size, throttle_ms)
    select name, mode, 'select id as film_id, title, rating, updated_at from content.film_work', 'analytics.film_dim',
           case mode when 'full' then 'film_id' end, case mode when 'incremental' then 'updated_at' end,
           case mode when 'incremental' then 'film_id' end, 10, 20
    from (values ('by_key', 'full'), ('by_time', 'incremental')) as given (name, mode)
"""
# What befell each row of the target, kept by the database itself.
TRAIL = """
    create table public.film_trail (film_id uuid, deed text, changed boolean);
    create function public.film_trail() returns trigger language plpgsql as $$
    begin
      insert into public.film_trail
      values (new.film_id, tg_op, tg_op = 'INSERT' or (old.title, old.rating) is distinct from (new.title, new.rating));
      return null;
    end $$;
    create trigger film_trail after insert or update on analytics.film_dim
    for each row execute function public.film_trail();
"""
# Each batch begins where the one before it ended: a gap would be a loss, an overlap a row twice.
BROKEN_CHAINS = """
    select name, seq, cursor_from, before from (
      select pipeline.name, batch.seq, batch.cursor_from, run.resumed_from, batch.run_id,
             lag(batch.cursor_to) over (partition by pipeline.id order by batch.committed_at, batch.seq) as before
      from etl.etl_batches as batch
      join etl.etl_runs as run on run.id = batch.run_id
      join etl.etl_pipelines as pipeline on pipeline.id = run.pipeline_id
    ) as batches
    where cursor_from is distinct from before
      and not (name = 'by_key' and seq = 0 and resumed_from is null and cursor_from is null)
"""


def put_copied_films(films: Connection) -> None:
    """The films, a pipeline that copies them by key and one by time, and the trail of the target."""
    add_films(films, FILMS)
    do(films, PIPELINES)
    do(films, TRAIL)


def all_idle(films: Connection) -> bool:
    return set(statuses(films).values()) == {"IDLE"}


def differences(films: Connection) -> list[tuple[Any, ...]]:
    """Rows that source and target do not share."""
    source = "select id, title, rating from content.film_work"
    target = "select film_id, title, rating from analytics.film_dim where deleted_at is null"
    return ask(films, f"({source} except {target}) union all ({target} except {source})")


def assert_whole(films: Connection) -> None:
    """Nothing lost, nothing doubled, nothing stuck; seen in the end state and in what the database kept on the way."""
    assert differences(films) == []
    inserted = "select count(*)::int, count(distinct film_id)::int from public.film_trail where deed = 'INSERT'"
    assert ask(films, inserted) == [(FILMS, FILMS)]
    assert ask(films, "select * from public.film_trail where not changed") == []
    assert ask(films, BROKEN_CHAINS) == []
    assert ask(films, "select * from etl.etl_runs where status = 'RUNNING'") == []
    assert ask(films, "select * from etl.etl_leases where owner is not null") == []
    # Every claim has one run, and no epoch was given twice.
    assert ask(films, "select pipeline_id, epoch from etl.etl_runs group by 1, 2 having count(*) > 1") == []
    assert ask(films, "select count(*)::int from etl.etl_dlq") == [(0,)]
