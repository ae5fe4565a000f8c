-- known: what the warehouse knows about the keys asked for, in one go
with asked as materialized (
  select kind, key from unnest(%(kinds)s::text[], %(keys)s::text[]) as asked (kind, key)
),
names as materialized (
  select key as name from asked where kind = 'customer_name'
),
-- companies that a plan was learned to have only through names that people decided otherwise about
withdrawn as materialized (
  select split_part(lesson.lookup_key, '|', 1) as plan, lesson.company_id
  from enterprise.enrichment_index as lesson
  left join enterprise.identity_decisions as decision
    on decision.undone_at is null
    and decision.kind <> 'merge'
    and decision.normalized_name = substr(lesson.lookup_key, strpos(lesson.lookup_key, '|') + 1)
    and decision.to_company is distinct from lesson.company_id
    and coalesce(decision.from_company, lesson.company_id) = lesson.company_id
    and coalesce(decision.plan_code, split_part(lesson.lookup_key, '|', 1)) = split_part(lesson.lookup_key, '|', 1)
  where lesson.lookup_type = 'plan_customer'
    and exists (
      select from enterprise.identity_decisions as made where made.undone_at is null and made.kind <> 'merge'
    )
  group by 1, 2
  having bool_and(decision.decision_id is not null)
)
select 'entry', entry.lookup_type, entry.lookup_key, null, entry.company_id, null, entry.confidence::float8, entry.id::bigint,
  entry.source
from asked
join enterprise.enrichment_index as entry on entry.lookup_type = asked.kind and entry.lookup_key = asked.key
where not entry.is_ambiguous
  and (entry.lookup_type = 'plan_code' or entry.normaliser_version = %(version)s)
  and (entry.expires_at is null or entry.expires_at > now())
  and not (
    entry.lookup_type = 'plan_code'
    and entry.source in ('backflow', 'domain_learning')
    and (entry.lookup_key, entry.company_id) in (select plan, company_id from withdrawn)
  )
union all
select 'decision', decision.kind, decision.normalized_name, decision.plan_code, decision.from_company, decision.to_company,
  null, decision.decision_id, decision.actor
from enterprise.identity_decisions as decision
where decision.undone_at is null
  and (decision.kind = 'merge' or decision.normalized_name in (select name from names))
union all
select 'searched', null, search.normalized_name, null, null, null, null, null, search.outcome
from names
join enterprise.registry_searches as search on search.normalized_name = names.name
where search.outcome in ('uncertain', 'not_found')
  and search.normaliser_version = %(version)s
  and search.asked_at > now() - make_interval(days => %(searched_days)s)

-- lock_index: one writer of the index at a time, so that two never wait for each other
select pg_advisory_xact_lock(hashtextextended('wdh enrichment index', 0))

-- write_entries: add entries, and replace those that were less sure
with given as materialized (
  select * from unnest(%(kinds)s::text[], %(keys)s::text[], %(companies)s::text[], %(confidences)s::numeric[], %(sources)s::text[])
    as given (kind, key, company_id, confidence, source)
),
written as (
  insert into enterprise.enrichment_index as entry
    (lookup_type, lookup_key, company_id, confidence, source, source_domain, source_table, normaliser_version, expires_at)
  select kind, key, company_id, confidence, source, %(domain)s, %(table)s, %(version)s, %(expires_at)s
  from given
  on conflict (lookup_key, lookup_type) do update
  set company_id = excluded.company_id,
      confidence = excluded.confidence,
      source = excluded.source,
      source_domain = excluded.source_domain,
      source_table = excluded.source_table,
      normaliser_version = excluded.normaliser_version,
      expires_at = excluded.expires_at,
      updated_at = now()
  where not entry.is_ambiguous
    and (
      excluded.confidence > entry.confidence
      or (entry.expires_at is not null and entry.expires_at <= now())
      or (entry.expires_at is not null and entry.company_id = excluded.company_id and entry.source = excluded.source)
      or (entry.normaliser_version <> excluded.normaliser_version and entry.lookup_type <> 'plan_code')
    )
  returning (xmax = 0) as is_new
)
select count(*) filter (where is_new), count(*) filter (where not is_new) from written

-- write_former_names: add names that companies had before; one that two companies had says nothing from then on
with given as materialized (
  select * from unnest(%(kinds)s::text[], %(keys)s::text[], %(companies)s::text[], %(confidences)s::numeric[], %(sources)s::text[])
    as given (kind, key, company_id, confidence, source)
),
written as (
  insert into enterprise.enrichment_index as entry
    (lookup_type, lookup_key, company_id, confidence, source, source_domain, source_table, normaliser_version, expires_at,
     is_ambiguous)
  select kind, key, min(company_id), min(confidence), min(source), %(domain)s, %(table)s, %(version)s, %(expires_at)s,
    count(distinct company_id) > 1
  from given
  group by kind, key
  on conflict (lookup_key, lookup_type) do update
  set is_ambiguous = entry.is_ambiguous or excluded.is_ambiguous or entry.company_id <> excluded.company_id,
      confidence = greatest(entry.confidence, excluded.confidence),
      expires_at = excluded.expires_at,
      updated_at = now()
  where (entry.is_ambiguous, entry.confidence, entry.expires_at) is distinct from
    (
      entry.is_ambiguous or excluded.is_ambiguous or entry.company_id <> excluded.company_id,
      greatest(entry.confidence, excluded.confidence),
      excluded.expires_at
    )
  returning (xmax = 0) as is_new
)
select count(*) filter (where is_new), count(*) filter (where not is_new) from written

-- count_hits: entries that decided rows, all in one statement
update enterprise.enrichment_index as entry
set hit_count = entry.hit_count + used.rows, last_hit_at = now()
from unnest(%(ids)s::integer[], %(rows)s::integer[]) as used (id, rows)
where entry.id = used.id
