-- column_types: The types of the query's columns and of the target's columns of the same name, none of them with a length.
select format_type(to_regtype(nullif(given.type, '')), -1), format_type(column_.atttypid, -1)
from unnest(%(names)s::text[], %(types)s::text[]) with ordinality as given (name, type, place)
left join pg_attribute as column_
  on column_.attrelid = %(target)s::regclass and column_.attname = given.name
  and column_.attnum > 0 and not column_.attisdropped
order by given.place

-- has_stage: Whether this connection has the stage.
select to_regclass(%(name)s) is not null

-- seen_runs: The run and those that it resumed, whose keys were seen in the same scan.
with recursive seen_runs as (
  select id, resumed_from from etl.etl_runs where id = %(run_id)s::uuid
  union
  select before.id, before.resumed_from
  from etl.etl_runs as before
  join seen_runs on seen_runs.resumed_from = before.id
)
select array_agg(id)::text[] from seen_runs

-- remember_keys: What a run has seen.
insert into etl.etl_seen_keys (run_id, key)
select %(run_id)s::uuid, given.key
from unnest(%(keys)s::text[]) as given (key)
on conflict do nothing

-- forget_keys: Let go of what runs have seen.
delete from etl.etl_seen_keys where run_id = any(%(runs)s::uuid[])

-- take_over: Take a batch over into its target. `touched` are the rows that change something, and whether they are new.
with latest as (
  select distinct on ({key_value}) {values}
  from {stage}
  where {given_key} is not null
  order by {key_value}, {place} desc
), {touched}, start as (
  select min({place}) as first from {stage}
)
select
  (select count(*) from touched where is_new),
  (select count(*) from touched where not is_new),
  case when %(rescanned)s > 0 then (
    select count(*)
    from {stage}, start
    where {place} < first + %(rescanned)s
      and {given_key} is not null
      and {key_value} not in (select {key} from touched)
  ) else 0 end,
  (select array_agg({place} - first order by {place}) from {stage}, start where {given_key} is null)

-- touched_alone: Tells new, changed and equal rows apart by one join; raises where another session adds a key meanwhile.
touched as materialized (
  select latest.*, target.{key} is null as is_new
  from latest
  left join {target} as target on target.{key} = latest.{key}
  where target.{key} is null or row({old} target.deleted_at) is distinct from row({latest} null::timestamptz)
), changed as (
  update {target} as target set {touched} updated_at = now(), deleted_at = null
  from touched
  where target.{key} = touched.{key} and not touched.is_new
    -- Asked again of a row that another session has just made equal.
    and row({old} target.deleted_at) is distinct from row({given} null::timestamptz)
), added as (
  insert into {target} ({names})
  select {names} from touched where is_new
)

-- touched_among_others: Takes keys over that other sessions add. Costs more, and locks, which is to say writes, equal rows too.
written as (
  insert into {target} as target ({names})
  select {names} from latest
  on conflict ({key}) do update set {excluded} updated_at = now(), deleted_at = null
  where row({old} target.deleted_at) is distinct from row({new} null::timestamptz)
  returning target.{key}
), touched as (
  -- New is what the target lacked when the statement began; xmax would say it too, but of a table in parts it fails.
  select written.{key}, known.{key} is null as is_new
  from written
  left join {target} as known on known.{key} = written.{key}
)
