-- target_columns: name, type, nullability and default of a table's columns, in order
select attribute.attname,
       format_type(attribute.atttypid, attribute.atttypmod),
       not attribute.attnotnull,
       attribute.atthasdef or attribute.attidentity <> ''
from pg_attribute as attribute
join pg_class as class on class.oid = attribute.attrelid
join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = %(schema)s
  and class.relname = %(table)s
  and class.relkind in ('r', 'p')
  and attribute.attnum > 0
  and not attribute.attisdropped
order by attribute.attnum

-- unique_columns: the columns of a table that alone, in every row, identify it
select attribute.attname
from pg_index as key
join pg_class as class on class.oid = key.indrelid
join pg_namespace as namespace on namespace.oid = class.relnamespace
join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum = key.indkey[0]
where namespace.nspname = %(schema)s
  and class.relname = %(table)s
  and key.indisunique
  and key.indisvalid
  and key.indimmediate
  and key.indnkeyatts = 1
  and key.indpred is null
  and key.indexprs is null

-- source_columns: name and type of the columns of a table or view of the legacy database
select attribute.attname, format_type(attribute.atttypid, null)
from pg_attribute as attribute
join pg_class as class on class.oid = attribute.attrelid
join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = %(schema)s
  and class.relname = %(table)s
  and attribute.attnum > 0
  and not attribute.attisdropped
order by attribute.attnum

-- settled: the moment up to which every change of this database that can be seen is committed or gone
select least(min(xact_start), clock_timestamp())
from pg_stat_activity
where datname = current_database()
  and pid <> pg_backend_pid()
  and xact_start is not null

-- read_state: how far a job has come
select last_synced_at, rows, job_version
from system.sync_state
where job_name = %(job_name)s
  and table_name = %(table_name)s

-- save_state: note how far a job has come; a state that is as it was stays untouched
insert into system.sync_state as state (job_name, table_name, last_synced_at, rows, job_version, updated_at)
values (%(job_name)s, %(table_name)s, %(last_synced_at)s, %(rows)s, %(job_version)s, now())
on conflict (job_name, table_name) do update
set last_synced_at = excluded.last_synced_at,
    rows = excluded.rows,
    job_version = excluded.job_version,
    updated_at = excluded.updated_at
where (state.last_synced_at, state.rows, state.job_version)
  is distinct from (excluded.last_synced_at, excluded.rows, excluded.job_version)

-- reviewed_tables: tables whose rows say whether a human has to look, each with its one-column key
select namespace.nspname || '.' || class.relname, attribute.attname
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
join pg_index as key on key.indrelid = class.oid and key.indisprimary and key.indnkeyatts = 1
join pg_attribute as attribute on attribute.attrelid = class.oid and attribute.attnum = key.indkey[0]
where class.relkind in ('r', 'p')
  and namespace.nspname not like 'pg\_%%'
  and (
    select count(*)
    from pg_attribute as tracking
    where tracking.attrelid = class.oid
      and not tracking.attisdropped
      and tracking.attname in ('_source', '_needs_review', '_derived_from_domain', '_derived_at')
  ) = 4
order by 1
