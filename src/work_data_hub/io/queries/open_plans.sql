-- has_contracts: whether the contract table is there
select to_regclass('customer.customer_plan_contract') is not null

-- open_plans: company, product line, plan and first day of every contract that is open now
select company_id,
       product_line_code,
       plan_code,
       valid_from
from customer.customer_plan_contract
where valid_to = date '9999-12-31'
order by company_id, product_line_code, plan_code, valid_from
