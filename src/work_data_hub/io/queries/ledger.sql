-- standing_loads: the last replacement of a month and the loads added to it since, newest first
select load_id, files, code_version, config_version, declaration_version, rows_read, rows_rejected
from ledger.loads
where domain = %(domain)s
  and period = %(period)s
  and load_id >= coalesce(
    (
      select max(replaced.load_id)
      from ledger.loads as replaced
      where replaced.domain = %(domain)s
        and replaced.period = %(period)s
        and replaced.status = 'loaded'
    ),
    0
  )
order by load_id desc

-- next_load_id: reserve the id of a load before its rows are written
select nextval(pg_get_serial_sequence('ledger.loads', 'load_id'))

-- record_load: the ledger row of a load, written in the load's own transaction
insert into ledger.loads
  (load_id, run_id, domain, period, status, started_at, committed_at, actor, files, rows_read, rows_rejected,
   rows_deleted, rows_inserted, rows_updated, rows_unchanged, code_version, config_version, declaration_version,
   parent_load_id)
overriding system value
values
  (%(load_id)s, %(run_id)s, %(domain)s, %(period)s, %(status)s, %(started_at)s, clock_timestamp(), %(actor)s, %(files)s,
   %(rows_read)s, %(rows_rejected)s, %(rows_deleted)s, %(rows_inserted)s, %(rows_updated)s, %(rows_unchanged)s,
   %(code_version)s, %(config_version)s, %(declaration_version)s, %(parent_load_id)s)

-- close_orphans: executions whose process is gone are failed, not running
update public.pipeline_executions as execution
set status = 'failed',
    completed_at = clock_timestamp(),
    error_message = 'the process ended before the run did; nothing of it was committed'
where status = 'running'
  and pipeline_name = %(pipeline_name)s
  and execution_id::text <> %(own)s
  and not exists (
    select
    from pg_stat_activity as session
    where session.application_name like '%%' || left(execution.execution_id::text, 8) || '%%'
  )

-- begin_execution: note that an execution runs
insert into public.pipeline_executions (execution_id, pipeline_name, started_at, status, input_file_path)
values (%(execution_id)s, %(pipeline_name)s, clock_timestamp(), 'running', %(input_file)s)

-- finish_execution: close an execution with its counts
update public.pipeline_executions
set status = %(status)s,
    completed_at = clock_timestamp(),
    rows_input = %(rows_input)s,
    rows_output = %(rows_output)s,
    rows_failed = %(rows_failed)s,
    duration_ms = extract(epoch from clock_timestamp() - started_at) * 1000,
    error_message = %(error_message)s,
    input_file_path = coalesce(%(input_file)s, input_file_path)
where execution_id = %(execution_id)s

-- loaded_months: each domain's months that a load brought facts into
select distinct domain, period
from ledger.loads
where rows_inserted + rows_updated + rows_unchanged > 0
  -- A change of companies is of all months.
  and period is not null
