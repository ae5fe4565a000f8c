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

-- forget_keys: Let go of what runs have seen.
delete from etl.etl_seen_keys where run_id = any(%(runs)s::uuid[])
