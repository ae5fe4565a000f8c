-- holder: the session that holds a load lock
select coalesce(nullif(session.application_name, ''), 'an unnamed session'), session.pid, session.backend_start
from pg_locks as held
join pg_stat_activity as session on session.pid = held.pid
where held.locktype = 'advisory'
  and held.granted
  and held.classid = %(high)s
  and held.objid = %(low)s
  and held.objsubid = 1
  and held.database = (select oid from pg_database where datname = current_database())
limit 1
