-- targets: each table with its columns, their types, the columns PostgreSQL fills, and those that are a unique key alone
select namespace.nspname || '.' || class.relname,
       array_agg(attribute.attname::text order by attribute.attnum),
       array_agg(format_type(attribute.atttypid, attribute.atttypmod) order by attribute.attnum),
       coalesce(
         array_agg(attribute.attname::text order by attribute.attnum)
           filter (where attribute.attidentity <> '' or attribute.attgenerated <> ''),
         '{}'
       ),
       coalesce(array_agg(attribute.attname::text) filter (where keyed.attnum is not null), '{}')
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
join pg_attribute as attribute on attribute.attrelid = class.oid
left join (
  select distinct unique_index.indrelid, unique_index.indkey[0] as attnum
  from pg_index as unique_index
  where unique_index.indisunique
    and unique_index.indisvalid
    and unique_index.indimmediate
    and unique_index.indnkeyatts = 1
    and unique_index.indpred is null
    and unique_index.indexprs is null
) as keyed on keyed.indrelid = class.oid and keyed.attnum = attribute.attnum
where namespace.nspname || '.' || class.relname = any(%(tables)s)
  and class.relkind in ('r', 'p')
  and attribute.attnum > 0
  and not attribute.attisdropped
group by namespace.nspname, class.relname

-- lengths: the columns of tables that hold texts up to a length, and that length
select namespace.nspname || '.' || class.relname, attribute.attname::text, attribute.atttypmod - 4
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
join pg_attribute as attribute on attribute.attrelid = class.oid
where namespace.nspname || '.' || class.relname = any(%(tables)s)
  and class.relkind in ('r', 'p')
  and attribute.attnum > 0
  and not attribute.attisdropped
  and attribute.atttypid in ('varchar'::regtype, 'bpchar'::regtype)
  and attribute.atttypmod > 4

-- keys_with_facts: which of the keys stand in a fact table
select given.key
from unnest(%(keys)s::text[]) as given (key)
where exists (select from {table} as fact where fact.{key} = given.key)

-- missing_keys: which of the keys a reference table lacks
select given.key
from unnest(%(keys)s::text[]) as given (key)
where not exists (select from {table} as kept where kept.{key} = given.key)

-- month_keys: the keys of a month's facts and of the facts that go, and whether those facts go
select fact.{key}::text, bool_or({goes}), bool_or(fact.{month} = %(period)s and not {goes})
from {table} as fact
where fact.{key} is not null
  and (fact.{month} = %(period)s or {goes})
group by fact.{key}

-- compacted_facts: the distinct combinations in the facts that stay, with the largest amounts and the newest month
copy (
  select {columns}
  from {table} as fact
  where fact.{key} = any({keys})
    and not {goes}
  group by {texts}
) to stdout with (format csv)

-- has_column: whether a table has a column
select exists (
  select from pg_attribute where attrelid = %(table)s::regclass and attname = %(column)s and not attisdropped
)

-- months_of_keys: the months of the keys' facts that stay: all of them, or the first
select fact.{key}::text, {months}
from {table} as fact
where fact.{key} = any(%(keys)s)
  and not {goes}
group by fact.{key}
