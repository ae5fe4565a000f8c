-- through: the newest month that contracts are made of
select max(period)
from customer.contract_periods

-- stored_contracts: contracts as they are stored
select company_id, contract_status, valid_to
from customer.customer_plan_contract

-- planned_contracts: contracts that are not written yet
select company_id, contract_status, valid_to
from unnest(%(companies)s::text[], %(statuses)s::text[], %(ends)s::date[])
  as planned (company_id, contract_status, valid_to)

-- stored_snapshots: companies of snapshots as they are stored
select company_id
from customer.fct_customer_product_line_monthly
union all
select company_id
from customer.fct_customer_plan_monthly

-- planned_snapshots: companies of snapshots that are not written yet
select company_id
from unnest(%(in_snapshots)s::text[]) as planned (company_id)

-- forgotten: derived customers that no fact, contract, snapshot and nobody knows
select gone.company_id
from customer.客户明细 as gone
where gone._source = 'auto_derived'
  and {nobody_wrote}
  and jsonb_typeof(gone.tags) = 'array'
  and not jsonb_path_exists(gone.tags, {tags_of_people})
  and not exists (select from ({contracts}) as contract where contract.company_id = gone.company_id)
  and not exists (select from ({snapshots}) as snapshot where snapshot.company_id = gone.company_id)
  and {nobody_knows}

-- knows_no: whether a fact table has no facts of the customer
not exists (select from {table} as fact where fact.{key} = gone.company_id)

-- changed: customers of whom facts and contracts up to a month now say something else
with newest as (
  select max(fact.月度) as month
  from business.规模明细 as fact
  where fact.月度 <= %(through)s
),
amounts as (
  select fact.company_id,
         sum(fact.期末资产规模) filter (where age.is_newest and line.ends = %(trustee)s) as trustee,
         sum(fact.期末资产规模) filter (where age.is_newest and line.ends = %(investment)s) as investment,
         sum(fact.期末资产规模) filter (where age.is_newest) as total,
         sum(fact.供款) as contributions
  from newest
  join business.规模明细 as fact
    on fact.月度 <= newest.month and fact.月度 > newest.month - make_interval(months => %(months)s)
  cross join lateral (select fact.月度 = newest.month as is_newest) as age
  left join (select 产品线代码, right(产品线, 2) as ends from mapping.产品线) as line on line.产品线代码 = fact.产品线代码
  group by fact.company_id
),
standing as (
  select contract.company_id,
         case
           when bool_or(contract.valid_to = %(open_end)s and contract.contract_status = %(normal)s) then %(normal)s
           when bool_or(contract.valid_to = %(open_end)s) then %(stopped)s
           else %(ended)s
         end as status
  from ({contracts}) as contract
  group by contract.company_id
),
said as (
  select kept.company_id,
         kept._source = 'auto_derived' as is_derived,
         known.has_facts,
         case when known.has_facts then coalesce(amounts.trustee, 0) end as trustee,
         case when known.has_facts then coalesce(amounts.investment, 0) end as investment,
         case when known.has_facts then coalesce(amounts.total, 0) end as total,
         case when known.has_facts then coalesce(amounts.contributions, 0) end as contributions,
         standing.status
  from customer.客户明细 as kept
  left join amounts on amounts.company_id = kept.company_id
  left join standing on standing.company_id = kept.company_id
  cross join newest
  cross join lateral (
    select amounts.company_id is not null or exists (
      select from business.规模明细 as fact where fact.company_id = kept.company_id and fact.月度 <= newest.month
    ) as has_facts
  ) as known
)
select kept.company_id, {wanted}
from said
join customer.客户明细 as kept on kept.company_id = said.company_id
where ({values}) is distinct from ({current})
  and not exists (select from ({forgotten}) as gone where gone.company_id = kept.company_id)

-- count_changed: how many rows change
select count(*)
from ({changed}) as changed

-- update_changed: bring the rows to what is said of them; those of this transaction are not counted
with written as (
  update customer.客户明细 as kept
  set {changes},
      updated_at = now(),
      _derived_at = case kept._source when 'auto_derived' then now() else kept._derived_at end
  from ({changed}) as changed
  where kept.company_id = changed.company_id
  returning kept.created_at
)
select count(*) filter (where created_at < now())
from written

-- count_forgotten: how many customers nobody knows
select count(*)
from ({forgotten}) as gone

-- delete_forgotten: remove the customers that nobody knows
delete from customer.客户明细
where company_id in ({forgotten})

-- count_customers: how many rows there are, those of this transaction left out
select count(*)
from customer.客户明细
where created_at < now()
