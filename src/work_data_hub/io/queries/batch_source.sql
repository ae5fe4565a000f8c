-- may_take_role: whether this user may read in the role, and the role may open queries in this database
select pg_has_role(current_user, oid, 'member') and has_schema_privilege(oid, to_regnamespace('etl'), 'usage')
from pg_roles
where rolname = %(role)s

-- prepare_session: queries are read to the end, and their numbers are exact
select set_config('cursor_tuple_fraction', '1', false), set_config('extra_float_digits', '1', false)

-- open_query: a cursor of this name over the one statement
select etl.open_query(%(name)s, %(statement)s)

-- column_types: the types as PostgreSQL writes them; what a table's column is limited to is known to its table only
select format_type(shown.type, coalesce(attribute.atttypmod, shown.modifier))
from unnest(%(types)s::oid[], %(modifiers)s::integer[], %(tables)s::oid[], %(places)s::integer[])
  with ordinality as shown (type, modifier, origin, place, position)
left join pg_attribute as attribute
  on attribute.attrelid = shown.origin
  and attribute.attnum = shown.place
  and attribute.atttypid = shown.type
order by shown.position

-- rest: wait
select pg_sleep(%(seconds)s)

-- clock: the time now, not the time at which this transaction began; and the zone's distance from UTC
select clock_timestamp(), extract(timezone from clock_timestamp()) <> 0

-- open_transactions: all that may still add rows here, since when, and whether that may be seen
select pid, usename, application_name, began, is_hidden
from etl.open_transactions(%(reader)s)
union all
-- When such a transaction was prepared is known, and not when it began.
select null, owner, gid, prepared - make_interval(secs => %(prepared_seconds)s), false
from pg_prepared_xacts
where database = current_database()

-- horizon: all transactions before the first are over, and none of the second or later is seen
select pg_snapshot_xmin(now.seen)::text::bigint, pg_snapshot_xmax(now.seen)::text::bigint
from (select pg_current_snapshot() as seen) as now
