-- table_columns: name, type and nullability of a table's columns, in order
select attribute.attname,
       format_type(attribute.atttypid, attribute.atttypmod),
       not attribute.attnotnull
from pg_attribute as attribute
join pg_class as class on class.oid = attribute.attrelid
join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = %(schema)s
  and class.relname = %(table)s
  and attribute.attnum > 0
  and not attribute.attisdropped
order by attribute.attnum
