-- of_domain: the facts of a table behind temporary ids, counted by name, spelling, id and month
select
  {domain}, fact.{name}, coalesce(fact.{written}, fact.{name}), fact.{company}, fact.{month}, count(*), {assets}
from {table} as fact
where fact.{company} ~ '^IN[A-Z2-7]{{16}}$'
group by fact.{name}, coalesce(fact.{written}, fact.{name}), fact.{company}, fact.{month}

-- first_queued: when some names were put in the queue first
select normalized_name, min(created_at)
from enterprise.enrichment_requests
where normalized_name = any(%(names)s)
group by normalized_name
