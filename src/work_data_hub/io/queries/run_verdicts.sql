-- committed: the loads of some domains that a run committed, in their order
select load_id, domain, period, rows_read, rows_rejected,
  rows_inserted + rows_updated + rows_unchanged > 0
from ledger.loads
where run_id = %(run_id)s
  and domain = any(%(domains)s)
order by load_id

-- held: whether a session holds any of these load locks
select exists (
  select
  from pg_locks as held
  where held.locktype = 'advisory'
    and held.granted
    and held.objsubid = 1
    and held.database = (select oid from pg_database where datname = current_database())
    and ((held.classid::bigint << 32) | held.objid::bigint) = any(%(keys)s::bigint[])
)
