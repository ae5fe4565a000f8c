-- functions: the functions of the schemas, each as a statement names it
select format('%%I.%%I(%%s)', nspname, proname, pg_get_function_identity_arguments(pg_proc.oid))
from pg_proc
join pg_namespace on pg_namespace.oid = pronamespace
where nspname = any(%(schemas)s)
  and prokind = 'f'
order by 1

-- is_reader: whether this user may open queries, read every source, and see since when others write
select
  coalesce(has_schema_privilege(to_regnamespace('etl'), 'usage'), false)
  and coalesce(has_function_privilege(to_regprocedure(%(function)s), 'execute'), false)
  and not exists (
    select
    from pg_class
    join pg_namespace on pg_namespace.oid = relnamespace
    where nspname = any(%(sources)s)
      and relkind in ('r', 'p', 'v', 'm', 'f')
      and not (has_schema_privilege(pg_namespace.oid, 'usage') and has_table_privilege(pg_class.oid, 'select'))
  )

-- has_password: whether the role has a password; no row where there is no such role
select rolpassword is not null
from pg_authid
where rolname = %(role)s
