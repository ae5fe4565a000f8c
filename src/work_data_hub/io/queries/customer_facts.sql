-- fact_months: the months that have plan facts, oldest first; one look into the index a month
with recursive month (day) as (
  select min(月度) from business.规模明细
  union all
  select (select min(fact.月度) from business.规模明细 as fact where fact.月度 > month.day)
  from month
  where month.day is not null
)
select day
from month
where day is not null
order by day

-- fact_loads: the newest load of each month of plan facts
select period, max(load_id)
from ledger.loads
where domain = 'annuity_performance'
  and period is not null
group by period

-- has_company: whether a fact (`fact`) names a company; only short ids are looked at for a word such as 无
(
  char_length(fact.company_id) > 8
  or lower(btrim(normalize(fact.company_id, nfkc))) <> all({placeholders})
)

-- counts: whether a fact (`fact`) belongs to a contract; a temporary company does once the master has it
{has_company}
and fact.计划代码 <> ''
and fact.产品线代码 <> ''
and (
  not starts_with(fact.company_id, 'IN')
  or fact.company_id !~ {temporary}
  or exists (select from customer.客户明细 as customer where customer.company_id = fact.company_id)
)

-- monthly_facts: what each contract had in each branch and month, in ten-thousandths of a 元
copy (
  select fact.company_id,
         fact.计划代码,
         fact.产品线代码,
         fact.机构代码,
         fact.月度,
         (coalesce(sum(fact.期末资产规模), 0) * 10000)::bigint,
         (coalesce(sum(fact.供款), 0) * 10000)::bigint
  from business.规模明细 as fact
  where fact.月度 between {first} and {through}
    and {counts}
  group by 1, 2, 3, 4, 5
) to stdout with (format csv)

-- uncounted_rows: facts up to a month that belong to no contract, by the first reason that keeps them out
select case
         when ({has_company}) is not true then 'facts without a company'
         when coalesce(fact.计划代码, '') = '' then 'facts without a plan'
         when coalesce(fact.产品线代码, '') = '' then 'facts without a product line'
         else 'temporary ids'
       end,
       count(*)
from business.规模明细 as fact
where fact.月度 <= %(through)s
  and ({counts}) is not true
group by 1
order by 1

-- late_month: the first month whose facts of a temporary company count by now although they did not when it was synced
select min(fact.月度)
from customer.客户明细 as customer
join business.规模明细 as fact on fact.company_id = customer.company_id
join customer.contract_periods as synced on synced.period = fact.月度
where starts_with(customer.company_id, 'IN')
  and customer.company_id ~ %(temporary)s
  and fact.计划代码 <> ''
  and fact.产品线代码 <> ''
  and not exists (
    select
    from customer.customer_plan_contract as version
    where version.company_id = fact.company_id
      and version.plan_code = fact.计划代码
      and version.product_line_code = fact.产品线代码
      and version.valid_from < (fact.月度 + interval '1 month')::date
      and version.valid_to >= (fact.月度 + interval '1 month')::date
  )

-- uncountable: the first contract whose amount in a month, or a branch of it, is no number or too large to be added
select company_id, 计划代码, 产品线代码, to_char(月度, 'YYYY-MM'), amount.name, amount.held::text
from (
  select fact.company_id,
         fact.计划代码,
         fact.产品线代码,
         fact.月度,
         sum(fact.期末资产规模) as held,
         sum(fact.供款) as paid
  from business.规模明细 as fact
  where fact.月度 between %(first)s and %(through)s
    and fact.company_id <> ''
    and fact.计划代码 <> ''
    and fact.产品线代码 <> ''
  group by grouping sets (
    (fact.company_id, fact.计划代码, fact.产品线代码, fact.月度),
    (fact.company_id, fact.计划代码, fact.产品线代码, fact.月度, fact.机构代码)
  )
) as monthly
cross join lateral (values (%(aum)s, monthly.held), (%(paid)s, monthly.paid)) as amount (name, held)
where abs(amount.held) >= %(most)s
order by monthly.月度, 1, 2, 3, 5
limit 1

-- inside_a_month: the first facts that do not stand on the first day of a month, and how many there are in all
select fact.company_id, fact.计划代码, fact.产品线代码, to_char(fact.月度, 'YYYY-MM'), fact.月度::text,
       count(*) over ()
from business.规模明细 as fact
where extract(day from fact.月度) is distinct from 1
order by fact.月度, 1, 2, 3
limit 1
