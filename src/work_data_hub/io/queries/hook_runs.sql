-- newest_load: the newest committed load of a domain's month
select max(load_id)
from ledger.loads
where domain = %(domain)s
  and period = %(period)s

-- succeeded: the hooks that have succeeded after a load
select distinct hook
from ledger.hook_runs
where load_id = %(load_id)s
  and status = 'succeeded'

-- record: how a hook ended
insert into ledger.hook_runs (hook, domain, period, load_id, status, counts, error, started_at)
values (%(hook)s, %(domain)s, %(period)s, %(load_id)s, %(status)s, %(counts)s, %(error)s, %(started_at)s)
