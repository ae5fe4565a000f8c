-- versions: all versions of the contracts, or those of one company
copy (
  select company_id, plan_code, product_line_code, valid_from, valid_to, contract_status, is_existing, is_strategic,
         status_year
  from customer.customer_plan_contract
  where {which}
) to stdout with (format csv)

-- delete_versions: remove the versions that stand in the stage
delete from customer.customer_plan_contract as kept
using pg_temp.wdh_contract_stage as gone
where kept.company_id = gone.company_id
  and kept.plan_code = gone.plan_code
  and kept.product_line_code = gone.product_line_code
  and kept.valid_from = gone.valid_from

-- update_versions: bring the versions to what the stage says of them
update customer.customer_plan_contract as kept
set valid_to = wanted.valid_to,
    contract_status = wanted.contract_status,
    is_existing = wanted.is_existing,
    is_strategic = wanted.is_strategic,
    status_year = wanted.status_year,
    updated_at = now()
from pg_temp.wdh_contract_stage as wanted
where kept.company_id = wanted.company_id
  and kept.plan_code = wanted.plan_code
  and kept.product_line_code = wanted.product_line_code
  and kept.valid_from = wanted.valid_from

-- insert_versions: add the versions of the stage
insert into customer.customer_plan_contract
  (company_id, plan_code, product_line_code, valid_from, valid_to, contract_status, is_existing, is_strategic,
   status_year)
select company_id, plan_code, product_line_code, valid_from, valid_to, contract_status, is_existing, is_strategic,
       status_year
from pg_temp.wdh_contract_stage
order by company_id, plan_code, product_line_code, valid_from

-- periods: the months that contracts are made of, the load each was made of, and whether its snapshot is up to date
select period, load_id, snapshot_is_current
from customer.contract_periods

-- drop_periods: forget months whose facts are gone
delete from customer.contract_periods
where period = any(%(gone)s::date[])

-- note_periods: note the load that a month's contracts are made of now
insert into customer.contract_periods as kept (period, load_id)
select period, load_id
from unnest(%(periods)s::date[], %(loads)s::bigint[]) as given (period, load_id)
on conflict (period) do update
set load_id = excluded.load_id,
    snapshot_is_current = false,
    synced_at = now()

-- outdate_snapshots: the snapshots from a month on have to be made again
update customer.contract_periods
set snapshot_is_current = false
where period >= %(since)s
  and snapshot_is_current

-- cut_over_years: the years that were opened by hand, before any month of them
select status_year
from customer.contract_years

-- record_cut_over: note a year that is opened by hand
insert into customer.contract_years (status_year, actor)
values (%(year)s, %(actor)s)

-- missing_product_lines: product lines that contracts have and the warehouse does not describe
select given.code
from unnest(%(codes)s::text[]) as given (code)
where not exists (select from mapping.产品线 as line where line.产品线代码 = given.code)
order by given.code

-- add_product_lines: describe product lines by the business type that the newest facts give them
insert into mapping.产品线 (产品线代码, 产品线, _source, _needs_review, _derived_from_domain, _derived_at)
select given.code, named.业务类型, 'auto_derived', true, 'annuity_performance', now()
from unnest(%(codes)s::text[]) as given (code)
left join lateral (
  select fact.业务类型
  from business.规模明细 as fact
  where fact.产品线代码 = given.code
    and fact.业务类型 <> ''
  order by fact.月度 desc, fact.业务类型 collate "C"
  limit 1
) as named on true
on conflict (产品线代码) do nothing
