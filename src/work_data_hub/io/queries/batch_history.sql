-- runs: the newest runs of a pipeline, or the one of an id
select id,
       pipeline_id,
       status,
       started_at,
       finished_at,
       rows_read,
       rows_written,
       rows_inserted,
       rows_updated,
       rows_unchanged,
       rows_rescanned,
       rows_deleted,
       rows_dlq,
       rows_stale,
       error_message,
       attempt,
       trigger,
       idempotency_key,
       worker,
       epoch,
       resumed_from,
       warnings
from etl.etl_runs
where (%(pipeline)s::uuid is null or pipeline_id = %(pipeline)s::uuid)
  and (%(run)s::uuid is null or id = %(run)s::uuid)
order by started_at desc, id
limit %(limit)s

-- batches: the newest committed batches of a pipeline
select batch.run_id,
       batch.seq,
       batch.cursor_from,
       batch.cursor_to,
       batch.rows_read,
       batch.rows_written,
       batch.rows_dlq,
       batch.content_hash,
       batch.epoch,
       batch.committed_at
from etl.etl_batches as batch
join etl.etl_runs as run on run.id = batch.run_id
where run.pipeline_id = %(pipeline)s::uuid
order by run.started_at desc, run.id, batch.seq desc
limit %(limit)s

-- events: the newest moves of a pipeline
select id, from_status, to_status, actor, epoch, reason, at
from etl.etl_events
where pipeline_id = %(pipeline)s::uuid
order by id desc
limit %(limit)s

-- state: the checkpoint of a pipeline
select last_processed_value, last_processed_id
from etl.etl_state
where pipeline_id = %(pipeline)s::uuid
  and (last_processed_value is not null or last_processed_id is not null)

-- set_state: put the checkpoint of a pipeline somewhere
insert into etl.etl_state (pipeline_id, last_processed_value, last_processed_id)
values (%(pipeline)s::uuid, %(value)s, %(id)s)
on conflict (pipeline_id) do update
set last_processed_value = excluded.last_processed_value,
    last_processed_id = excluded.last_processed_id,
    updated_at = now()

-- drop_state: let the next run begin at the beginning
delete from etl.etl_state
where pipeline_id = %(pipeline)s::uuid

-- dead_letters: the oldest rows that were set aside and wait, or those that wait no more
select id,
       run_id,
       seq,
       key,
       cursor,
       payload::text,
       fingerprint,
       sqlstate,
       error,
       attempt,
       as_of,
       created_at,
       seen_at,
       replay_requested_at,
       replay_requested_by,
       replayed_at,
       is_superseded
from etl.etl_dlq
where pipeline_id = %(pipeline)s::uuid
  and (replayed_at is not null) = %(replayed)s
  and (%(ids)s::bigint[] is null or id = any(%(ids)s::bigint[]))
order by id
limit %(limit)s

-- mark_replayed: note that rows which were set aside are taken now, or overtaken
update etl.etl_dlq
set replayed_at = clock_timestamp(),
    is_superseded = %(superseded)s
where pipeline_id = %(pipeline)s::uuid
  and id = any(%(ids)s::bigint[])
  and replayed_at is null

-- metrics_pipelines: each pipeline, and what one has to know of it at a glance
select pipeline.name,
       pipeline.status,
       extract(epoch from clock_timestamp() - pipeline.requested_at)::float8,
       (
         select count(*)
         from etl.etl_dlq as dead
         where dead.pipeline_id = pipeline.id
           and dead.replayed_at is null
       ),
       case when pipeline.mode = 'incremental' then state.last_processed_value end,
       case
         when pipeline.mode = 'incremental' then (
           select extract(epoch from clock_timestamp() - run.started_at)::float8
           from etl.etl_runs as run
           where run.pipeline_id = pipeline.id
             and run.status = 'SUCCESS'
             and run.definition ->> 'mode' is distinct from 'full'
           order by run.started_at desc
           limit 1
         )
       end,
       clock_timestamp()
from etl.etl_pipelines as pipeline
left join etl.etl_state as state on state.pipeline_id = pipeline.id
order by pipeline.name

-- metrics_workers: how many seconds ago each runner showed life
select worker_id, extract(epoch from clock_timestamp() - heartbeat_at)::float8
from etl.etl_workers
order by worker_id

-- metrics_runs: what each pipeline's runs came to, of all that have ended
select pipeline.name,
       run.status,
       count(*),
       sum(run.rows_read)::bigint,
       sum(run.rows_written)::bigint,
       sum(run.rows_unchanged)::bigint,
       sum(run.rows_dlq)::bigint
from etl.etl_runs as run
join etl.etl_pipelines as pipeline on pipeline.id = run.pipeline_id
where run.status <> 'RUNNING'
group by pipeline.name, run.status
order by pipeline.name, run.status
