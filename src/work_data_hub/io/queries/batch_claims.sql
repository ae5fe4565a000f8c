-- register: a runner begins to live
insert into etl.etl_workers (worker_id, started_at, heartbeat_at, host, pid, version)
values (%(worker)s, clock_timestamp(), clock_timestamp(), %(host)s, %(pid)s, %(version)s)

-- beat: a runner lives
update etl.etl_workers
set heartbeat_at = clock_timestamp()
where worker_id = %(worker)s

-- forget: a runner is gone, by its own will
delete from etl.etl_workers
where worker_id = %(worker)s

-- forget_silent: runners that were silent for long and hold nothing; one that is just waking up is left alone
delete from etl.etl_workers
where worker_id in (
  select worker.worker_id
  from etl.etl_workers as worker
  where worker.heartbeat_at < clock_timestamp() - make_interval(secs => %(silent_seconds)s)
    and not exists (select from etl.etl_leases as lease where lease.owner = worker.worker_id)
  for update skip locked
)

-- add_lease: the row that a pipeline written by hand lacks; its own lock keeps two runners from adding it at once
insert into etl.etl_leases (pipeline_id)
select pipeline.id
from etl.etl_pipelines as pipeline
where pipeline.status = 'RUN_REQUESTED'
  and not exists (select from etl.etl_leases as lease where lease.pipeline_id = pipeline.id)
order by pipeline.requested_at, pipeline.id
limit 1
for no key update skip locked
on conflict do nothing

-- next: the oldest request that no other runner is just taking; what a runner that lives may have of it
select pipeline.*
from etl.etl_leases as lease
join etl.etl_pipelines as pipeline on pipeline.id = lease.pipeline_id
where pipeline.status = 'RUN_REQUESTED'
  and pipeline.enabled
  and exists (select from etl.etl_workers as worker where worker.worker_id = %(worker)s)
order by pipeline.requested_at, pipeline.id
limit 1
for no key update of lease, pipeline skip locked

-- take: the runner holds the pipeline; whoever held it before does not
update etl.etl_leases
set owner = %(worker)s,
    epoch = epoch + 1,
    -- Two claims of a pipeline never bear the same time: documents are versioned by it.
    claimed_at = greatest(clock_timestamp(), claimed_at + interval '1 millisecond'),
    -- Only what is run again by itself can go on dying for ever.
    recoveries = case when %(trigger)s = 'recovery' then recoveries else 0 end
where pipeline_id = %(pipeline)s::uuid
returning epoch, claimed_at

-- start: the request is answered
update etl.etl_pipelines
set status = 'RUNNING',
    requested_at = null,
    request_key = null,
    request_trigger = null
where id = %(pipeline)s::uuid

-- tasks: the tasks of a pipeline, in order
select order_index, task_type, body, target_table
from etl.etl_pipeline_tasks
where pipeline_id = %(pipeline)s::uuid
order by order_index

-- newest_run: how the pipeline was run last, and what it was then
select id, status, attempt, definition
from etl.etl_runs
where pipeline_id = %(pipeline)s::uuid
order by started_at desc, epoch desc nulls last
limit 1

-- settled_run: the definition that a checkpoint stands for: of the last run that went well, or began at the beginning
select run.definition
from etl.etl_runs as run
where run.pipeline_id = %(pipeline)s::uuid
  and (
    run.status = 'SUCCESS'
    or exists (select from etl.etl_batches as batch where batch.run_id = run.id and batch.cursor_from is null)
  )
order by run.started_at desc, run.epoch desc nulls last
limit 1

-- stopped_at: the place of the last row that a run, or those it went on from, committed, and when the first of them began
with recursive chain as (
  select run.id, run.resumed_from, run.started_at, 0 as age
  from etl.etl_runs as run
  where run.id = %(run)s::uuid
  union all
  select older.id, older.resumed_from, older.started_at, chain.age + 1
  from chain
  join etl.etl_runs as older on older.id = chain.resumed_from
)
select
  batch.cursor_to,
  (
    select min(chain.started_at)
    from chain
    where exists (select from etl.etl_batches as of_it where of_it.run_id = chain.id)
  ) as began_at
from chain
join etl.etl_batches as batch on batch.run_id = chain.id
where batch.cursor_to is not null
order by chain.age, batch.seq desc
limit 1

-- checkpoint: how far incremental runs have come
select last_processed_value, last_processed_id
from etl.etl_state
where pipeline_id = %(pipeline)s::uuid

-- open_run: a run begins; a key that an earlier run bears is left out rather than refused
insert into etl.etl_runs (pipeline_id, attempt, trigger, idempotency_key, worker, epoch, resumed_from, definition)
select
  %(pipeline)s::uuid, %(attempt)s, %(trigger)s,
  case
    when not exists (
      select
      from etl.etl_runs as earlier
      where earlier.pipeline_id = %(pipeline)s::uuid
        and earlier.idempotency_key = %(key)s
    ) then %(key)s
  end,
  %(worker)s, %(epoch)s, %(resumed_from)s::uuid, %(definition)s::jsonb
returning id

-- hold: whoever would take the pipeline over waits until this transaction ends
select 1
from etl.etl_leases
where pipeline_id = %(pipeline)s::uuid
  and owner = %(worker)s
  and epoch = %(epoch)s
for share

-- asked: what is asked of the runner that holds the pipeline
select pipeline.status
from etl.etl_leases as lease
join etl.etl_pipelines as pipeline on pipeline.id = lease.pipeline_id
where lease.pipeline_id = %(pipeline)s::uuid
  and lease.owner = %(worker)s
  and lease.epoch = %(epoch)s

-- free: nobody holds the pipeline any more
update etl.etl_leases
set owner = null,
    recoveries = 0
where pipeline_id = %(pipeline)s::uuid
  and owner = %(worker)s
  and epoch = %(epoch)s

-- end: where a pipeline goes when its run ends; one that ends half-way pauses or waits, as it is asked to by now
update etl.etl_pipelines
set status = case
      when %(to)s not in ('PAUSED', 'RUN_REQUESTED') then %(to)s
      when status = 'PAUSE_REQUESTED' then 'PAUSED'
      else 'RUN_REQUESTED'
    end,
    request_trigger = case when %(to)s in ('PAUSED', 'RUN_REQUESTED') and status = 'RUNNING' then 'stop' end
where id = %(pipeline)s::uuid
  and status in ('RUNNING', 'PAUSE_REQUESTED')
returning status

-- close_run: the run has ended
update etl.etl_runs
set status = %(status)s,
    finished_at = clock_timestamp(),
    error_message = left(%(error)s, 2000),
    warnings = warnings || %(warnings)s::jsonb
where id = %(run)s::uuid
  and status = 'RUNNING'

-- close_left: the run of a runner that is gone
update etl.etl_runs
set status = 'FAILED',
    finished_at = clock_timestamp(),
    error_message = %(error)s
where pipeline_id = %(pipeline)s::uuid
  and status = 'RUNNING'
returning id

-- left_behind: pipelines that run, and whose runner shows no life
select pipeline.id, lease.owner, lease.epoch
from etl.etl_pipelines as pipeline
left join etl.etl_leases as lease on lease.pipeline_id = pipeline.id
left join etl.etl_workers as worker on worker.worker_id = lease.owner
where pipeline.status in ('RUNNING', 'PAUSE_REQUESTED')
  and (
    worker.worker_id is null
    or worker.heartbeat_at < clock_timestamp() - make_interval(secs => %(lease_seconds)s)
  )
-- The same order for everybody who sweeps: two of them never wait for each other.
order by pipeline.id

-- make_lease: a lease that nobody holds, where there is none
insert into etl.etl_leases (pipeline_id)
values (%(pipeline)s::uuid)
on conflict do nothing

-- take_back: the lease of a runner that still shows no life, where nobody has taken it in the meantime
update etl.etl_leases as lease
set owner = null,
    epoch = epoch + 1,
    recoveries = recoveries + 1
where pipeline_id = %(pipeline)s::uuid
  and owner is not distinct from %(owner)s
  and epoch = coalesce(%(epoch)s, epoch)
  and not exists (
    select
    from etl.etl_workers as worker
    where worker.worker_id = lease.owner
      and worker.heartbeat_at >= clock_timestamp() - make_interval(secs => %(lease_seconds)s)
  )
returning recoveries

-- recover: a pipeline without a runner waits for another, is paused as it was asked to, or is given up
update etl.etl_pipelines
set status = case
      when status = 'PAUSE_REQUESTED' then 'PAUSED'
      when %(is_given_up)s then 'FAILED'
      else 'RUN_REQUESTED'
    end,
    request_key = null,
    request_trigger = case when status = 'RUNNING' and not %(is_given_up)s then 'recovery' end
where id = %(pipeline)s::uuid
  and status in ('RUNNING', 'PAUSE_REQUESTED')
returning name, status

-- loose: leases and open runs of pipelines that do not run: a request found their runner dead before a sweep did
select pipeline.id, lease.owner, lease.epoch
from etl.etl_pipelines as pipeline
join etl.etl_leases as lease on lease.pipeline_id = pipeline.id
where pipeline.status not in ('RUNNING', 'PAUSE_REQUESTED')
  and (
    lease.owner is not null
    or exists (select from etl.etl_runs as run where run.pipeline_id = pipeline.id and run.status = 'RUNNING')
  )
order by pipeline.id

-- fence_off: whoever held the lease holds nothing now
update etl.etl_leases
set owner = null,
    epoch = epoch + 1
where pipeline_id = %(pipeline)s::uuid
  and owner is not distinct from %(owner)s
  and epoch = %(epoch)s
returning epoch

-- cut_off: end the sessions of a silent runner that hold on to a batch for longer than its lease
select pg_terminate_backend(pid)
from pg_stat_activity
where datname = current_database()
  and application_name = %(application)s
  and pid <> pg_backend_pid()
  and xact_start < clock_timestamp() - make_interval(secs => %(lease_seconds)s)
