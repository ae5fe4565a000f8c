-- versions: the contract versions that were in force on any day after one day and up to another
copy (
  select company_id, plan_code, product_line_code, valid_from, valid_to, contract_status, is_existing, is_strategic,
         status_year
  from customer.customer_plan_contract
  where valid_from <= {last}
    and valid_to > {first}
) to stdout with (format csv)

-- month_facts: what each key has in a month, in ten-thousandths of a 元; of keys without a contract nobody asks
copy (
  select fact.company_id,
         fact.计划代码,
         fact.产品线代码,
         (coalesce(sum(fact.期末资产规模), 0) * 10000)::bigint
  from business.规模明细 as fact
  where fact.月度 = {month}
    and fact.company_id <> ''
    and fact.计划代码 <> ''
    and fact.产品线代码 <> ''
  group by 1, 2, 3
) to stdout with (format csv)

-- arrivals: the first month ever in which a company has facts of a product line, and holds money in it
-- Only of those that may have come in the months asked for: who held money in the month before had come by then.
copy (
  with recent as (
    select fact.company_id, fact.产品线代码, fact.月度, sum(fact.期末资产规模) as held
    from business.规模明细 as fact
    where fact.月度 between {before} and {through}
      and fact.company_id <> ''
      and fact.计划代码 <> ''
      and fact.产品线代码 <> ''
    group by 1, 2, 3
  ), candidate as (
    select company_id, 产品线代码 from recent where 月度 > {before}
    except
    select company_id, 产品线代码 from recent where 月度 = {before} and held > 0
  ), monthly as (
    select company_id, 产品线代码, recent.月度, recent.held
    from recent
    join candidate using (company_id, 产品线代码)
    union all
    select fact.company_id, fact.产品线代码, fact.月度, sum(fact.期末资产规模)
    from business.规模明细 as fact
    join candidate on candidate.company_id = fact.company_id and candidate.产品线代码 = fact.产品线代码
    where fact.月度 < {before}
      and fact.计划代码 <> ''
    group by 1, 2, 3
  )
  select company_id, 产品线代码, min(月度), min(月度) filter (where held > 0)
  from monthly
  group by 1, 2
) to stdout with (format csv)

-- reported: awards or losses of some months; a product line that the warehouse does not describe is left empty
-- A plan that was completed from contracts is none: it depends on what was loaded before the register.
copy (
  select report.company_id,
         case when report.年金计划号来源 = '上报' then report.年金计划号 end,
         line.产品线代码,
         report.上报月份
  from {table} as report
  left join mapping.产品线 as line on line.产品线代码 = report.产品线代码
  where report.上报月份 between {first} and {through}
) to stdout with (format csv)

-- known_customers: which of the companies the customer master has
select company_id
from customer.客户明细
where company_id = any(%(companies)s)

-- stored_rows: a month's snapshot as it is stored
copy (
  select {columns}
  from {table} as fact
  where fact.snapshot_month = {month_end}
) to stdout with (format csv)

-- stored_months: the month ends that have snapshot rows; one look into the index a month
with recursive month (day) as (
  select min(snapshot_month) from {table}
  union all
  select (select min(fact.snapshot_month) from {table} as fact where fact.snapshot_month > month.day)
  from month
  where month.day is not null
)
select day
from month
where day is not null

-- count_month: how many rows the snapshot of a month has
select count(*)
from {table}
where snapshot_month = %(month_end)s

-- drop_month: remove the snapshot of a month that is not synced any more, or has no facts
delete from {table}
where snapshot_month = %(month_end)s

-- delete_rows: remove the rows that stand in the stage
delete from {table} as fact
using {stage} as gone
where {same_key}

-- update_rows: bring rows to what the stage says of them
update {table} as fact
set {values},
    updated_at = now()
from {stage} as wanted
where {same_key}

-- late_award: the first synced month that lacks a row of an award whose company and product line are known by now
select min(synced.period)
from customer.中标客户明细 as award
join customer.客户明细 as customer on customer.company_id = award.company_id
join mapping.产品线 as line on line.产品线代码 = award.产品线代码
join customer.contract_periods as synced
  on synced.period between award.上报月份 and (date_trunc('year', award.上报月份) + interval '11 months')::date
where synced.period = any(%(periods)s::date[])
  and not exists (
    select
    from customer.fct_customer_product_line_monthly as fact
    where fact.snapshot_month = (synced.period + interval '1 month' - interval '1 day')::date
      and fact.company_id = award.company_id
      and fact.product_line_code = award.产品线代码
  )

-- changed_registers: awards and losses, by month, whose newest load the snapshots have not seen
select newest.domain, newest.period, newest.load_id
from (
  select domain, period, max(load_id) as load_id
  from ledger.loads
  where domain = any(%(domains)s)
    and period is not null
  group by 1, 2
) as newest
left join customer.register_loads as seen using (domain, period)
where seen.load_id is distinct from newest.load_id
order by 2, 1

-- note_registers: the snapshots have seen these loads
insert into customer.register_loads (domain, period, load_id)
select domain, period, load_id
from unnest(%(domains)s::text[], %(periods)s::date[], %(loads)s::bigint[]) as given (domain, period, load_id)
on conflict (domain, period) do update
set load_id = excluded.load_id

-- mark_current: the snapshots of these months are what their sources say
update customer.contract_periods
set snapshot_is_current = true
where period = any(%(periods)s::date[])
  and not snapshot_is_current

-- mark_outdated: the snapshots of these months have to be made again
update customer.contract_periods
set snapshot_is_current = false
where period = any(%(periods)s::date[])
  and snapshot_is_current

-- snapshot_companies: the companies that the snapshots of some months have
select distinct company_id
from customer.fct_customer_product_line_monthly
where snapshot_month = any(%(month_ends)s::date[])

-- status_counts: customers by status and money, a row a month, oldest first
select snapshot_month,
       count(distinct company_id),
       count(distinct company_id) filter (where is_existing),
       count(distinct company_id) filter (where is_strategic),
       count(distinct company_id) filter (where is_new),
       count(distinct company_id) filter (where is_winning_this_year),
       count(distinct company_id) filter (where is_loss_reported),
       count(distinct company_id) filter (where is_churned_this_year),
       sum(aum_balance)
from customer.fct_customer_product_line_monthly
group by snapshot_month
order by snapshot_month
