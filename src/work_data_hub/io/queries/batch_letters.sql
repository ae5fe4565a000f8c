-- known: which of these rows lie set aside and wait
select fingerprint
from etl.etl_dlq
where pipeline_id = %(pipeline)s::uuid
  and replayed_at is null
  and fingerprint = any(%(fingerprints)s)

-- has_open: whether any row for the target waits
select exists (select from etl.etl_dlq where target = %(target)s and replayed_at is null)

-- supersede: rows that wait and came again in another version wait no more; those just met again as they are do
update etl.etl_dlq as letter
set replayed_at = clock_timestamp(),
    is_superseded = true
where letter.target = %(target)s
  and letter.replayed_at is null
  and letter.key = any(%(keys)s)
  and letter.fingerprint <> all(%(kept)s)
  and (
    letter.pipeline_id = %(pipeline)s::uuid
    -- What another pipeline set aside is overtaken by rows that were read later, were taken, and have all it has.
    or (
      letter.key = any(%(taken)s)
      and letter.as_of < %(as_of)s
      and not letter.payload ?| %(lacking)s
    )
  )

-- supersede_unseen: rows that wait and that the scan of these runs has not met wait no more
update etl.etl_dlq
set replayed_at = clock_timestamp(),
    is_superseded = true
where pipeline_id = (select pipeline_id from etl.etl_runs where id = %(run)s::uuid)
  and replayed_at is null
  and (run_id is null or run_id <> all(%(runs)s::uuid[]))

-- supersede_older: of the rows of one key that wait only the newest does
update etl.etl_dlq as letter
set replayed_at = clock_timestamp(),
    is_superseded = true
where letter.pipeline_id = %(pipeline)s::uuid
  and letter.replayed_at is null
  and exists (
    select
    from etl.etl_dlq as later
    where later.pipeline_id = letter.pipeline_id
      and later.key = letter.key
      and later.replayed_at is null
      and (later.seen_at, later.id) > (letter.seen_at, letter.id)
  )

-- changed_behind: which of these rows have a row in the target that changed since they were read
select letter.id
from etl.etl_dlq as letter
join {target} as target on target.{key}::text = letter.key
where letter.pipeline_id = %(pipeline)s::uuid
  and letter.replayed_at is null
  and letter.id = any(%(ids)s::bigint[])
  and target.updated_at > coalesce(letter.as_of, letter.created_at)

-- elsewhere: which of these rows were set aside for another target
select id
from etl.etl_dlq
where pipeline_id = %(pipeline)s::uuid
  and id = any(%(ids)s::bigint[])
  and target <> %(target)s

-- refuse: rows that were tried in vain once more, and why
update etl.etl_dlq
set attempt = attempt + 1,
    error = %(error)s,
    sqlstate = %(sqlstate)s
where pipeline_id = %(pipeline)s::uuid
  and id = any(%(ids)s::bigint[])

-- request: ask for rows that wait to be written again
update etl.etl_dlq
set replay_requested_at = clock_timestamp(),
    replay_requested_by = %(actor)s
where pipeline_id = %(pipeline)s::uuid
  and replayed_at is null
  and (%(ids)s::bigint[] is null or id = any(%(ids)s::bigint[]))

-- wake: let runners look
select pg_notify('etl_pipelines', %(pipeline)s)

-- is_any_requested: whether rows of any pipeline at rest are asked for
select exists (
  select
  from etl.etl_dlq as letter
  join etl.etl_pipelines as pipeline on pipeline.id = letter.pipeline_id
  where letter.replay_requested_at is not null
    and letter.replayed_at is null
    and pipeline.status = any(%(at_rest)s)
)

-- take_requested: a pipeline at rest whose rows are asked for; nobody else writes them before this transaction ends
select pipeline.id
from etl.etl_pipelines as pipeline
where pipeline.status = any(%(at_rest)s)
  and exists (
    select
    from etl.etl_dlq as letter
    where letter.pipeline_id = pipeline.id
      and letter.replay_requested_at is not null
      and letter.replayed_at is null
  )
  and pipeline.id <> all(%(without)s::uuid[])
order by pipeline.id
limit 1
for no key update of pipeline skip locked

-- requested: rows of the pipeline that are asked for, the oldest first, and who asked
select id, replay_requested_by
from etl.etl_dlq
where pipeline_id = %(pipeline)s::uuid
  and replay_requested_at is not null
  and replayed_at is null
order by id
limit %(limit)s

-- drop_requests: rows of the pipeline are asked for no more
update etl.etl_dlq
set replay_requested_at = null,
    replay_requested_by = null
where pipeline_id = %(pipeline)s::uuid
  and replay_requested_at is not null
  and (%(ids)s::bigint[] is null or id = any(%(ids)s::bigint[]))
