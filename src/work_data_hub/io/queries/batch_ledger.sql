-- count: add to what the run counted, where the runner still holds it
update etl.etl_runs as run
set rows_read = run.rows_read + %(read)s,
    rows_written = run.rows_written + %(written)s,
    rows_inserted = run.rows_inserted + %(inserted)s,
    rows_updated = run.rows_updated + %(updated)s,
    rows_unchanged = run.rows_unchanged + %(unchanged)s,
    rows_rescanned = run.rows_rescanned + %(rescanned)s,
    rows_deleted = run.rows_deleted + %(deleted)s,
    rows_dlq = run.rows_dlq + %(dlq)s,
    rows_stale = run.rows_stale + %(stale)s
from etl.etl_leases as lease
where run.id = %(run)s::uuid
  and run.status = 'RUNNING'
  and lease.pipeline_id = run.pipeline_id
  and lease.owner = %(worker)s
  and lease.epoch = %(epoch)s

-- add_batch: a batch that this transaction commits
insert into etl.etl_batches (
  run_id, seq, cursor_from, cursor_to, rows_read, rows_written, rows_dlq, content_hash, epoch
)
values (
  %(run)s::uuid, %(seq)s, %(cursor_from)s::jsonb, %(cursor_to)s::jsonb, %(read)s, %(written)s, %(dlq)s,
  %(content_hash)s, %(epoch)s
)

-- move_checkpoint: how far the source was read; what does not move stays as it is, its time too
insert into etl.etl_state as state (pipeline_id, last_processed_value, last_processed_id)
values (%(pipeline)s::uuid, %(value)s, %(id)s)
on conflict (pipeline_id) do update
set last_processed_value = excluded.last_processed_value,
    last_processed_id = excluded.last_processed_id,
    updated_at = clock_timestamp()
where (state.last_processed_value, state.last_processed_id)
  is distinct from (excluded.last_processed_value, excluded.last_processed_id)

-- add_letters: rows set aside; one that lies there already was tried once more
insert into etl.etl_dlq as letter (
  pipeline_id, run_id, seq, target, key, cursor, payload, fingerprint, sqlstate, error, as_of, replayed_at,
  is_superseded
)
values %s
on conflict (pipeline_id, fingerprint) where replayed_at is null do update
set run_id = excluded.run_id,
    seq = excluded.seq,
    target = excluded.target,
    key = excluded.key,
    cursor = excluded.cursor,
    sqlstate = excluded.sqlstate,
    error = excluded.error,
    as_of = excluded.as_of,
    seen_at = clock_timestamp(),
    attempt = letter.attempt + 1

-- progress: what a recovery would not read again ends a row of them
update etl.etl_leases
set recoveries = 0
where pipeline_id = %(pipeline)s::uuid
  and owner = %(worker)s
  and epoch = %(epoch)s
  and recoveries > 0

-- is_recorded: whether the batch was committed
select 1
from etl.etl_batches
where run_id = %(run)s::uuid
  and seq = %(seq)s

-- begin_scan: the run has counted nothing yet
update etl.etl_runs as run
set rows_read = 0,
    rows_written = 0,
    rows_inserted = 0,
    rows_updated = 0,
    rows_unchanged = 0,
    rows_rescanned = 0,
    rows_deleted = 0,
    rows_dlq = 0,
    rows_stale = 0
from etl.etl_leases as lease
where run.id = %(run)s::uuid
  and run.status = 'RUNNING'
  and lease.pipeline_id = run.pipeline_id
  and lease.owner = %(worker)s
  and lease.epoch = %(epoch)s

-- forget_keys: keys of a scan that did not end say nothing about the next one
delete from etl.etl_seen_keys
where run_id = %(run)s::uuid

-- warn: say something about the run, once
update etl.etl_runs as run
set warnings = run.warnings || jsonb_build_array(%(text)s::text)
from etl.etl_leases as lease
where run.id = %(run)s::uuid
  and run.status = 'RUNNING'
  and not run.warnings @> jsonb_build_array(%(text)s::text)
  and jsonb_array_length(run.warnings) < %(most)s
  and lease.pipeline_id = run.pipeline_id
  and lease.owner = %(worker)s
  and lease.epoch = %(epoch)s
