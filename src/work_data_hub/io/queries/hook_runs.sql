-- newest_load: the newest committed load of a domain's month
select max(load_id)
from ledger.loads
where domain = %(domain)s
  and period = %(period)s

-- finished: the hooks that did not fail the last time they ran after a load
select hook
from ledger.hook_runs
where load_id = %(load_id)s
group by hook
having (array_agg(status order by hook_run_id desc))[1] <> 'failed'

-- record: how a hook ended
insert into ledger.hook_runs (hook, domain, period, load_id, status, counts, error, started_at)
values (%(hook)s, %(domain)s, %(period)s, %(load_id)s, %(status)s, %(counts)s, %(error)s, %(started_at)s)
