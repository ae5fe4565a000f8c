-- rows: pipelines with their tasks, by name; all, or the one of an id or a name
select pipeline.id,
       pipeline.status,
       pipeline.created_at,
       pipeline.updated_at,
       pipeline.name,
       pipeline.description,
       pipeline.type,
       pipeline.source_query,
       pipeline.python_module,
       pipeline.target_table,
       pipeline.mode,
       pipeline.incremental_key,
       pipeline.incremental_id_key,
       pipeline.batch_size,
       pipeline.enabled,
       pipeline.unique_key,
       pipeline.strategy,
       pipeline.overlap_seconds,
       pipeline.null_key,
       pipeline.deletes,
       pipeline.throttle_ms,
       pipeline.dlq_max_rows,
       pipeline.dlq_max_ratio,
       pipeline.cron,
       coalesce(
         (
           select jsonb_agg(
             jsonb_build_object(
               'order_index', task.order_index,
               'task_type', task.task_type,
               'body', task.body,
               'target_table', task.target_table
             )
             order by task.order_index
           )
           from etl.etl_pipeline_tasks as task
           where task.pipeline_id = pipeline.id
         ),
         '[]'
       ) as tasks
from etl.etl_pipelines as pipeline
where (%(id)s::uuid is null or pipeline.id = %(id)s::uuid)
  and (%(name)s::text is null or pipeline.name = %(name)s::text)
order by pipeline.name

-- freeze: keep the pipeline from moving and changing until this transaction ends
select status
from etl.etl_pipelines
where id = %(id)s::uuid
for no key update

-- create: a new pipeline, at rest
insert into etl.etl_pipelines (
  name, description, type, source_query, python_module, target_table, mode, incremental_key, incremental_id_key,
  batch_size, enabled, unique_key, strategy, overlap_seconds, null_key, deletes, throttle_ms, dlq_max_rows,
  dlq_max_ratio, cron
)
values (
  %(name)s, %(description)s, %(type)s, %(source_query)s, %(python_module)s, %(target_table)s, %(mode)s,
  %(incremental_key)s, %(incremental_id_key)s, %(batch_size)s, %(enabled)s, %(unique_key)s, %(strategy)s,
  %(overlap_seconds)s, %(null_key)s, %(deletes)s, %(throttle_ms)s, %(dlq_max_rows)s, %(dlq_max_ratio)s, %(cron)s
)
returning id

-- change: what a pipeline is, where nothing runs or waits to
update etl.etl_pipelines
set name = %(name)s,
    description = %(description)s,
    type = %(type)s,
    source_query = %(source_query)s,
    python_module = %(python_module)s,
    target_table = %(target_table)s,
    mode = %(mode)s,
    incremental_key = %(incremental_key)s,
    incremental_id_key = %(incremental_id_key)s,
    batch_size = %(batch_size)s,
    enabled = %(enabled)s,
    unique_key = %(unique_key)s,
    strategy = %(strategy)s,
    overlap_seconds = %(overlap_seconds)s,
    null_key = %(null_key)s,
    deletes = %(deletes)s,
    throttle_ms = %(throttle_ms)s,
    dlq_max_rows = %(dlq_max_rows)s,
    dlq_max_ratio = %(dlq_max_ratio)s,
    cron = %(cron)s
where id = %(id)s::uuid
  and status = any(%(at_rest)s)

-- drop_tasks: let a pipeline have no tasks
delete from etl.etl_pipeline_tasks
where pipeline_id = %(id)s::uuid

-- add_tasks: the tasks of a pipeline
insert into etl.etl_pipeline_tasks (pipeline_id, order_index, task_type, body, target_table)
values %s

-- drop_checkpoint: let the next incremental run begin at the beginning
delete from etl.etl_state
where pipeline_id = %(id)s::uuid

-- note: an event that moves nothing; who did it is what the transaction says
insert into etl.etl_events (pipeline_id, from_status, to_status, actor, epoch, reason)
select pipeline.id, pipeline.status, pipeline.status, %(actor)s, lease.epoch, %(reason)s
from etl.etl_pipelines as pipeline
left join etl.etl_leases as lease on lease.pipeline_id = pipeline.id
where pipeline.id = %(id)s::uuid

-- as_actor: who acts in this transaction and why, for the events that it makes
select set_config('etl.actor', %(actor)s, true), set_config('etl.reason', %(reason)s, true)

-- standing: where a pipeline stands, and whether the runner that holds it showed life within the lease
select pipeline.status,
       pipeline.enabled,
       exists (
         select
         from etl.etl_leases as lease
         join etl.etl_workers as worker on worker.worker_id = lease.owner
         where lease.pipeline_id = pipeline.id
           and worker.heartbeat_at > clock_timestamp() - make_interval(secs => %(lease_seconds)s)
       )
from etl.etl_pipelines as pipeline
where pipeline.id = %(id)s::uuid

-- request_run: ask for a run, where the pipeline stands as it was seen
update etl.etl_pipelines
set status = 'RUN_REQUESTED',
    requested_at = clock_timestamp(),
    request_key = %(key)s,
    request_trigger = %(trigger)s
where id = %(id)s::uuid
  and status = %(seen)s
  and enabled

-- go_on: take a wish to pause back, where it is still a wish
update etl.etl_pipelines
set status = 'RUNNING'
where id = %(id)s::uuid
  and status = %(seen)s
  and enabled

-- request_pause: ask the runner to pause, or hold what nobody runs; the request to run is then withdrawn
update etl.etl_pipelines
set status = %(status)s,
    requested_at = null,
    request_key = null,
    request_trigger = null
where id = %(id)s::uuid
  and status = %(seen)s

-- keep_key: remember the key of a request; no row where it was seen before
insert into etl.etl_run_requests (pipeline_id, idempotency_key)
select id, %(key)s
from etl.etl_pipelines
where id = %(id)s::uuid
on conflict do nothing

-- forget_key: let the key of a refused request be used again
delete from etl.etl_run_requests
where pipeline_id = %(id)s::uuid
  and idempotency_key = %(key)s
