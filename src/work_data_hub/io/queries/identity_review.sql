-- decisions: what people decided, oldest first; with those that were undone where asked for
select
  decision_id, kind, normalized_name, plan_code, from_company, to_company, reason, actor, evidence, decided_at,
  undone_at, undone_by, undone_reason
from enterprise.identity_decisions
where undone_at is null
  or %(undone)s
order by decision_id

-- lock_decisions: let nobody else decide or undo until this transaction ends; reading goes on
lock table enterprise.identity_decisions in share row exclusive mode

-- decide: write a decision
insert into enterprise.identity_decisions
  (kind, normalized_name, plan_code, from_company, to_company, reason, actor, evidence)
values
  (%(kind)s, %(name)s, %(plan)s, %(from_company)s, %(to_company)s, %(reason)s, %(actor)s, %(evidence)s)
returning decision_id, decided_at

-- undo: take a decision back
update enterprise.identity_decisions
set undone_at = clock_timestamp(),
    undone_by = %(actor)s,
    undone_reason = %(reason)s
where decision_id = %(decision_id)s
  and undone_at is null
returning undone_at

-- known_companies: which of some ids the registry's answers or the index know
select company_id
from enterprise.base_info
where company_id = any(%(companies)s)
union
select company_id
from enterprise.enrichment_index
where company_id = any(%(companies)s)

-- searches: what the registry last answered for some names; for every doubtful one where no names are given
select normalized_name, searched_name, outcome, company_id, confidence, candidates, asked_at
from enterprise.registry_searches
where case
    when %(names)s::text[] is null then outcome in ('review', 'uncertain')
    else normalized_name = any(%(names)s)
  end
order by normalized_name

-- ambiguous: former names that several companies had
select lookup_key
from enterprise.enrichment_index
where lookup_type = 'former_name'
  and is_ambiguous
order by lookup_key

-- former_names: every company that had another name before
select company_id, company_former_name
from enterprise.base_info
where company_former_name is not null
union
select company_id, company_former_name
from enterprise.business_info
where company_former_name is not null

-- entries: what the index holds for some keys, whether it may be used or not
select
  id, lookup_type, lookup_key, company_id, confidence, source, source_domain, source_table, is_ambiguous, normaliser_version, expires_at,
  coalesce(expires_at <= now(), false) as is_expired, hit_count, created_at, updated_at
from enterprise.enrichment_index
where (lookup_type, lookup_key) in (select * from unnest(%(kinds)s::text[], %(keys)s::text[]))
order by lookup_type, lookup_key

-- companies: official name and unified code of some companies
select company_id, coalesce(company_full_name, name, coname), unite_code
from enterprise.base_info
where company_id = any(%(companies)s)

-- newest_decision: the number of the newest decision, 0 where there is none
select coalesce(max(decision_id), 0)
from enterprise.identity_decisions

-- company_changes: how stored rows of a table came to another company after they were loaded, oldest first
select change.load_id, change.company_from, change.company_to, change.source_to, change.decision_id, load.committed_at
from enterprise.company_changes as change
join ledger.loads as load using (load_id)
where change.table_name = %(table)s
  and %(row_id)s = any(change.row_ids)
order by change.change_id

-- load_times: when some loads were committed
select load_id, committed_at
from ledger.loads
where load_id = any(%(loads)s)
