-- has_contracts: whether the contract table is there
select to_regclass('customer.customer_plan_contract') is not null

-- open_plans: company, product line, plan and the day from which there has been a contract, ended ones included
select company_id, product_line_code, plan_code, min(valid_from)
from customer.customer_plan_contract
group by company_id, product_line_code, plan_code
order by company_id, product_line_code, plan_code
