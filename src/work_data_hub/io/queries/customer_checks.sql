-- orphans: companies and product lines that contracts and snapshots name and nobody describes, and how many rows do
with named (place, company_id, product_line_code) as (
  select 'customer.customer_plan_contract', company_id, product_line_code
  from customer.customer_plan_contract
  union all
  select 'customer.fct_customer_product_line_monthly', company_id, product_line_code
  from customer.fct_customer_product_line_monthly
  union all
  select 'customer.fct_customer_plan_monthly', company_id, product_line_code
  from customer.fct_customer_plan_monthly
)
select place, 'customer.客户明细', company_id, count(*)
from named
where not exists (select from customer.客户明细 as customer where customer.company_id = named.company_id)
group by place, company_id
union all
select place, 'mapping.产品线', product_line_code, count(*)
from named
where not exists (select from mapping.产品线 as line where line.产品线代码 = named.product_line_code)
group by place, product_line_code
order by 1, 2, 3

-- unknown_product_lines: codes of facts up to a month, and of contracts, that mapping.产品线 does not describe
with named (place, code) as (
  select 'business.规模明细', 产品线代码
  from business.规模明细
  where 月度 <= %(through)s
    and 产品线代码 <> ''
  union all
  select 'customer.customer_plan_contract', product_line_code
  from customer.customer_plan_contract
)
select place, code, count(*)
from named
where not exists (select from mapping.产品线 as line where line.产品线代码 = named.code)
group by place, code
order by place, code

-- snapshot_sums: what the snapshots of a year hold, by table and month, in ten-thousandths of a 元
select 'customer.fct_customer_product_line_monthly', snapshot_month, (sum(aum_balance) * 10000)::bigint
from customer.fct_customer_product_line_monthly
where snapshot_month between %(first)s and %(last)s
group by snapshot_month
union all
select 'customer.fct_customer_plan_monthly', snapshot_month, (sum(aum_balance) * 10000)::bigint
from customer.fct_customer_plan_monthly
where snapshot_month between %(first)s and %(last)s
group by snapshot_month

-- newest_change: the newest load, hook and command that contracts may follow from; nothing without contracts
select concat_ws(
  ':',
  coalesce((select max(load_id) from ledger.loads), 0),
  coalesce((select max(hook_run_id) from ledger.hook_runs), 0),
  (
    select max(completed_at) at time zone 'UTC'
    from public.pipeline_executions
    where starts_with(pipeline_name, 'customer-mdm') and status = 'success'
  )
)
where exists (select from customer.contract_periods)
