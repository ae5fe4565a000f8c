-- table: a table's number, kind, owner, comment and key of its parts
select class.oid, class.relkind::text, pg_get_userbyid(class.relowner), obj_description(class.oid, 'pg_class'),
       pg_get_partkeydef(class.oid), (now() at time zone 'Asia/Shanghai')::date
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
where namespace.nspname = %(schema)s
  and class.relname = %(table)s
  and class.relkind in ('r', 'p')

-- parts: a table's parts and what each holds
select part.relname, pg_get_expr(part.relpartbound, part.oid)
from pg_inherits
join pg_class as part on part.oid = inhrelid
where inhparent = %(oid)s
order by part.relname

-- columns: columns that are written, in order, and whether the server counts them
select attname, attidentity <> ''
from pg_attribute
where attrelid = %(oid)s
  and attnum > 0
  and not attisdropped
  and attgenerated = ''
order by attnum

-- constraints: keys and references of the table: name, kind, definition, columns
select conname, contype::text, pg_get_constraintdef(oid), array(
         select attname::text
         from unnest(conkey) with ordinality as key (number, place)
         join pg_attribute on attrelid = conrelid and attnum = number
         order by place
       )
from pg_constraint
where conrelid = %(oid)s
  and contype in ('p', 'u', 'f')
order by contype <> 'p', conname

-- indexes: indexes that are no constraint: name, definition for a whole table, comment, unique columns or none
select class.relname,
       replace(pg_get_indexdef(class.oid), format('INDEX %%I ON ONLY ', class.relname), format('INDEX %%I ON ', class.relname)),
       obj_description(class.oid, 'pg_class'),
       case when indisunique then array(select attname::text from pg_attribute where attrelid = indrelid and attnum = any(indkey)) end
from pg_index
join pg_class as class on class.oid = indexrelid
where indrelid = %(oid)s
  and not exists (select from pg_constraint where conindid = indexrelid and contype in ('p', 'u', 'x'))
order by class.relname

-- grants: who was granted what on a table or sequence, column by column: column or none, to whom or public, what, with grant option
select null, case when grantee <> 0 then pg_get_userbyid(grantee) end, privilege_type, is_grantable
from pg_class, aclexplode(relacl)
where oid = %(oid)s
  and grantee <> relowner
union all
select attname, case when grantee <> 0 then pg_get_userbyid(grantee) end, privilege_type, is_grantable
from pg_attribute, aclexplode(attacl)
where attrelid = %(oid)s

-- sequence: the sequence that counts a column: number, schema, name
select class.oid, namespace.nspname, class.relname
from pg_class as class
join pg_namespace as namespace on namespace.oid = class.relnamespace
where class.oid = pg_get_serial_sequence(format('%%I.%%I', %(schema)s::text, %(table)s::text), %(column)s)::regclass

-- views: views that read the table: schema, name, query, options
select distinct namespace.nspname, view.relname, pg_get_viewdef(view.oid), view.reloptions
from pg_depend
join pg_rewrite on pg_rewrite.oid = objid
join pg_class as view on view.oid = ev_class
join pg_namespace as namespace on namespace.oid = view.relnamespace
where pg_depend.classid = 'pg_rewrite'::regclass
  and refclassid = 'pg_class'::regclass
  and refobjid = %(oid)s
  and view.relkind = 'v'

-- obstacles: what hangs on the table and cannot be carried over, in words
select 'trigger ' || tgname from pg_trigger where tgrelid = %(oid)s and not tgisinternal
union all
select 'policy ' || polname from pg_policy where polrelid = %(oid)s
union all
select 'rule ' || rulename from pg_rewrite where ev_class = %(oid)s
union all
select 'publication ' || pubname from pg_publication_rel join pg_publication on pg_publication.oid = prpubid where prrelid = %(oid)s
union all
select 'reference ' || conname || ' of ' || conrelid::regclass from pg_constraint where confrelid = %(oid)s and contype = 'f'
union all
select 'exclusion ' || conname from pg_constraint where conrelid = %(oid)s and contype = 'x'
union all
select 'materialized view ' || view.oid::regclass
from pg_depend
join pg_rewrite on pg_rewrite.oid = objid
join pg_class as view on view.oid = ev_class
where pg_depend.classid = 'pg_rewrite'::regclass
  and refobjid = %(oid)s
  and view.relkind = 'm'
union all
select 'inheritance with ' || case when inhrelid = %(oid)s then inhparent else inhrelid end::regclass
from pg_inherits
join pg_class on pg_class.oid = %(oid)s
where inhrelid = %(oid)s
   or (inhparent = %(oid)s and relkind = 'r')
union all
select 'option ' || word
from pg_class, unnest(array[
  case when relrowsecurity then 'row level security' end,
  case when relreplident <> 'd' then 'replica identity' end,
  array_to_string(reloptions, ', ')
]) as word
where oid = %(oid)s
  and word <> ''
