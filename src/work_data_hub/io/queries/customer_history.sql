-- customers: the customers that have this id or one of these names
select company_id, 客户名称
from customer.客户明细
where company_id = %(company_id)s
   or 客户名称 = any(%(names)s)
order by company_id

-- most_told: the company whose contracts have most versions; of several the one with the smallest id
select company_id
from customer.customer_plan_contract
group by company_id
order by count(*) desc, company_id
limit 1

-- all_customers: every customer, to propose one that looks like what was asked for
select company_id, coalesce(客户名称, '')
from customer.客户明细
order by company_id

-- plan_names: what the plans are called
select 年金计划号, coalesce(nullif(计划全称, ''), nullif(计划简称, ''))
from mapping.年金计划
where 年金计划号 = any(%(codes)s)

-- product_line_names: what the product lines are called
select 产品线代码, 产品线
from mapping.产品线
where 产品线代码 = any(%(codes)s)

-- months: the months that contracts are made of, oldest first, with the load that each was made of and its files
select synced.period, synced.load_id, load.files
from customer.contract_periods as synced
left join ledger.loads as load on load.load_id = synced.load_id
order by synced.period

-- line_months: what the snapshots say of a company, a row a month and product line, oldest first
select snapshot_month, product_line_code, null, null, is_existing, is_strategic, is_winning_this_year, is_new,
       is_new_arrival, is_loss_reported, is_churned_this_year, is_award_only, aum_balance, plan_count
from customer.fct_customer_product_line_monthly
where company_id = %(company_id)s
order by snapshot_month, product_line_code

-- plan_months: what the snapshots say of a company, a row a month, plan and product line, oldest first
select snapshot_month, product_line_code, plan_code, contract_status, is_existing, is_strategic, is_winning_this_year,
       null, null, is_loss_reported, is_churned_this_year, is_award_only, aum_balance, null
from customer.fct_customer_plan_monthly
where company_id = %(company_id)s
order by snapshot_month, product_line_code, plan_code
