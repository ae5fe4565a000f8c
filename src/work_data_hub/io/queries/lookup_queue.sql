-- enqueue: ask for names that nobody asks for yet and that were not answered, or given up, a moment ago
insert into enterprise.enrichment_requests
  (raw_name, normalized_name, normaliser_version, temp_id, requested_by_load)
select raw_name, normalized_name, %(normaliser_version)s, temp_id, %(load_id)s
from unnest(%(raw_names)s::text[], %(names)s::text[], %(temp_ids)s::text[])
  as unknown (raw_name, normalized_name, temp_id)
where length(normalized_name) between 1 and 255
  and not exists (
    select 1
    from enterprise.registry_searches as search
    where search.normalized_name = unknown.normalized_name
      and search.asked_at > now() - make_interval(days => %(searched_days)s)
  )
  and not exists (
    select 1
    from enterprise.enrichment_requests as earlier
    where earlier.normalized_name = unknown.normalized_name
      and earlier.status = 'failed'
      and earlier.updated_at > now() - make_interval(secs => %(rest_seconds)s)
  )
-- The same order in every load: two of them with the same names must not wait for each other.
order by normalized_name collate "C"
on conflict (normalized_name) where status in ('pending', 'processing') do nothing

-- sign_on: a lock with the worker's name, which ends with its session, however that ends
select pg_advisory_lock(hashtextextended(%(worker)s, 0))

-- claim: take the oldest requests that are ready and that no other worker is just taking
with ready as materialized (
  select id
  from enterprise.enrichment_requests
  where status = 'pending'
    and next_retry_at <= now()
  order by created_at, id
  limit %(limit)s
  for update skip locked
)
update enterprise.enrichment_requests as request
set status = 'processing',
    next_retry_at = null,
    claimed_by = %(worker)s,
    lease_until = now() + make_interval(secs => %(lease_seconds)s),
    updated_at = now()
from ready
where request.id = ready.id
returning request.created_at, request.id, request.raw_name, request.normalized_name, request.attempts

-- renew: hold on to what the worker still holds, and say what that is
update enterprise.enrichment_requests
set lease_until = now() + make_interval(secs => %(lease_seconds)s)
where status = 'processing'
  and claimed_by = %(worker)s
  and lease_until > now()
returning id

-- hold: the present time where the worker still holds the request; nobody takes it before this transaction ends
select now()
from enterprise.enrichment_requests
where id = %(request_id)s
  and status = 'processing'
  and claimed_by = %(worker)s
  and lease_until > now()
for update

-- settle: the request goes where the answer sends it
update enterprise.enrichment_requests
set status = %(status)s,
    attempts = attempts + %(attempts_added)s,
    resolved_company_id = %(company_id)s,
    last_error = %(reason)s,
    next_retry_at = now() + make_interval(secs => %(wait_seconds)s),
    claimed_by = null,
    lease_until = null,
    updated_at = now()
where id = %(request_id)s
  and status = 'processing'
  and claimed_by = %(worker)s

-- release: what the worker holds goes back as it was
update enterprise.enrichment_requests
set status = 'pending',
    next_retry_at = now(),
    claimed_by = null,
    lease_until = null,
    updated_at = now()
where status = 'processing'
  and claimed_by = %(worker)s

-- reset_stale: what workers left behind goes back; only what a worker was asking for has failed once more
with present as (
  select (classid::bigint << 32) | objid::bigint as key
  from pg_locks
  where locktype = 'advisory'
    and granted
    and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
),
stale as materialized (
  select id, claimed_by, created_at
  from enterprise.enrichment_requests
  where status = 'processing'
    and (lease_until <= now() or hashtextextended(claimed_by, 0) not in (select key from present))
  for update skip locked
),
-- A worker asks in this order and closes each request before the next: the first one left is the one it was at.
placed as (
  select id, row_number() over (partition by claimed_by order by created_at, id) = 1 as was_asked
  from stale
)
update enterprise.enrichment_requests as request
set status = case when placed.was_asked then step.status else 'pending' end,
    attempts = case when placed.was_asked then step.attempts else request.attempts end,
    last_error = case when placed.was_asked then %(reason)s else request.last_error end,
    next_retry_at = case
      when placed.was_asked then now() + make_interval(secs => step.wait_seconds)
      else now()
    end,
    claimed_by = null,
    lease_until = null,
    updated_at = now()
from placed
cross join unnest(%(attempts)s::integer[], %(statuses)s::text[], %(waits)s::double precision[])
  as step (attempts, status, wait_seconds)
where request.id = placed.id
  and step.attempts = least(request.attempts + 1, %(most_attempts)s)
returning request.status

-- retry_failed: ask anew for what was given up without an answer, unless somebody has by now
insert into enterprise.enrichment_requests
  (raw_name, normalized_name, normaliser_version, temp_id, requested_by_load)
select raw_name, normalized_name, normaliser_version, temp_id, requested_by_load
from enterprise.enrichment_requests as given_up
where status = 'failed'
  and attempts >= %(most_attempts)s
  and not exists (
    select 1
    from enterprise.enrichment_requests as later
    where later.normalized_name = given_up.normalized_name
      and later.id > given_up.id
  )
order by normalized_name collate "C"
on conflict (normalized_name) where status in ('pending', 'processing') do nothing

-- depth: how many requests stand where, and since when
with present as (
  select (classid::bigint << 32) | objid::bigint as key
  from pg_locks
  where locktype = 'advisory'
    and granted
    and objsubid = 1
    and database = (select oid from pg_database where datname = current_database())
),
request as (
  select *, id = max(id) over (partition by normalized_name) as is_newest
  from enterprise.enrichment_requests
)
select
  count(*) filter (where status = 'pending') as pending,
  count(*) filter (where status = 'processing') as processing,
  count(*) filter (where status = 'done') as done,
  count(*) filter (where status = 'failed') as failed,
  count(*) filter (where status = 'pending' and next_retry_at <= now()) as ready,
  count(*) filter (
    where status = 'processing'
      and (lease_until <= now() or hashtextextended(claimed_by, 0) not in (select key from present))
  ) as stale,
  count(*) filter (where status = 'failed' and attempts >= %(most_attempts)s and is_newest) as given_up,
  min(created_at) filter (where status in ('pending', 'processing')) as oldest,
  min(next_retry_at) filter (where status = 'pending' and next_retry_at > now()) as next_retry
from request

-- newest_failures: the requests that failed last, for now or for good
select raw_name, status, attempts, last_error as reason, updated_at as failed_at
from enterprise.enrichment_requests
where status in ('pending', 'failed')
  and last_error is not null
order by updated_at desc, id desc
limit %(limit)s
