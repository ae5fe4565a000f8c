-- drop_labels: take the labels of some companies away before their new ones are written
delete from enterprise.biz_label
where company_id = any(%(company_ids)s)

-- freshness: how many companies there are, and how old what the registry said of them is
select
  count(*) as total,
  count(*) filter (where api_fetched_at >= %(since)s) as fresh,
  count(*) filter (where api_fetched_at < %(since)s) as stale,
  count(*) filter (where api_fetched_at is null) as never_asked
from enterprise.base_info

-- chosen: how many companies a refresh is for, and how many of them have no name to search by
select
  count(*) filter (where coalesce(company_full_name, name, coname) is not null) as with_name,
  count(*) filter (where coalesce(company_full_name, name, coname) is null) as without_name
from enterprise.base_info
where (%(selection)s <> 'stale' or api_fetched_at is null or api_fetched_at < %(since)s)
  and (%(selection)s <> 'listed' or company_id = any(%(company_ids)s))

-- chosen_page: the next companies that a refresh is for, in the order of their ids
select company_id, coalesce(company_full_name, name, coname)
from enterprise.base_info
where company_id > %(after)s
  and coalesce(company_full_name, name, coname) is not null
  and (%(selection)s <> 'stale' or api_fetched_at is null or api_fetched_at < %(since)s)
  and (%(selection)s <> 'listed' or company_id = any(%(company_ids)s))
order by company_id
limit %(limit)s

-- listed: these companies and the names to search them by, in the order of their ids
select company_id, coalesce(company_full_name, name, coname)
from enterprise.base_info
where company_id = any(%(company_ids)s)
order by company_id

-- begin_refresh: note that a refresh runs
insert into enterprise.refresh_runs (selection, company_ids, threshold_days, companies_total, actor, started_at)
values (%(selection)s, %(company_ids)s, %(threshold_days)s, %(total)s, %(actor)s, %(started_at)s)
returning refresh_id

-- unfinished_refresh: the newest refresh, where it did not end
select
  refresh_id, selection, company_ids, threshold_days, started_at,
  companies_total as total,
  companies_refreshed as refreshed,
  companies_failed as failed,
  last_company_id as reached
from enterprise.refresh_runs
where refresh_id = (select max(refresh_id) from enterprise.refresh_runs)
  and status = 'running'

-- company_refreshed: one company more is done; the place moves on, never back
update enterprise.refresh_runs
set companies_refreshed = companies_refreshed + 1,
    companies_failed = companies_failed - %(company_id)s::text,
    last_company_id = greatest(last_company_id, %(company_id)s::text),
    updated_at = clock_timestamp()
where refresh_id = %(refresh_id)s

-- company_failed: one company could not be refreshed, and why
update enterprise.refresh_runs
set companies_failed = companies_failed || jsonb_build_object(%(company_id)s::text, %(reason)s::text),
    last_company_id = greatest(last_company_id, %(company_id)s::text),
    updated_at = clock_timestamp()
where refresh_id = %(refresh_id)s

-- end_refresh: every company of the refresh was asked for
update enterprise.refresh_runs
set status = 'done',
    updated_at = clock_timestamp()
where refresh_id = %(refresh_id)s

-- raw_business_info: the next companies with a detail answer to clean; not all: those without a row, or an older one
select base.company_id
from enterprise.base_info as base
left join enterprise.business_info as cleaned using (company_id)
where base.company_id > %(after)s
  and base.raw_business_info is not null
  and (%(full)s or cleaned.company_id is null or cleaned.updated_at < base.updated_at)
order by base.company_id
limit %(limit)s

-- raw_biz_label: the next companies with a labels answer to clean; not all: those without labels, or with older ones
select base.company_id
from enterprise.base_info as base
left join lateral (
  select max(label.updated_at) as updated_at
  from enterprise.biz_label as label
  where label.company_id = base.company_id
) as cleaned on true
where base.company_id > %(after)s
  and base.raw_biz_label is not null
  and (
    %(full)s
    or cleaned.updated_at < base.updated_at
    or (cleaned.updated_at is null and jsonb_path_exists(base.raw_biz_label, '$.labels[*].labels[*]'))
  )
order by base.company_id
limit %(limit)s

-- hold_companies: keep others from changing these companies' answers until this transaction ends
select company_id
from enterprise.base_info
where company_id = any(%(company_ids)s)
order by company_id
for no key update

-- raw_answers: what the registry answered of these companies
select company_id, raw_business_info, raw_biz_label
from enterprise.base_info
where company_id = any(%(company_ids)s)
order by company_id
