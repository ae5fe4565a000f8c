-- taken_back: rows of a table that a decision, undone since, brought where they are; the changes to take back, newest first
with recursive back (change_id, origin, row_ids) as (
  select change.change_id, change.reverses, change.row_ids
  from enterprise.company_changes as change
  join enterprise.company_changes as origin on origin.change_id = change.reverses
  where change.table_name = {table}
    and origin.reverses is null
  union all
  select more.change_id, back.origin, more.row_ids
  from back
  join enterprise.company_changes as more on more.reverses = back.change_id
),
gone_back as materialized (
  select distinct back.origin as change_id, member.row_id
  from back
  cross join lateral unnest(back.row_ids) as member (row_id)
),
standing as materialized (
  select change.change_id, change.row_ids, decision.undone_at is not null as is_undone
  from enterprise.company_changes as change
  left join enterprise.identity_decisions as decision on decision.decision_id = change.decision_id
  left join (select change_id, count(*) as rows from gone_back group by 1) as gone on gone.change_id = change.change_id
  where change.table_name = {table}
    and change.reverses is null
    and change.rows > coalesce(gone.rows, 0)
),
members as (
  select change.change_id,
         member.row_id,
         min(change.change_id) filter (where change.is_undone) over (partition by member.row_id) as lowest
  from standing as change
  cross join lateral unnest(change.row_ids) as member (row_id)
  left join gone_back as gone on gone.change_id = change.change_id and gone.row_id = member.row_id
  where change.change_id >= (select min(undone.change_id) from standing as undone where undone.is_undone)
    and gone.row_id is null
)
select row_id, array_agg(change_id order by change_id desc) as changes
from members
where change_id >= lowest
group by row_id

-- last_reversals: the end of the line of changes that took a change back, rows after rows; the change itself before that
with recursive line (origin, change_id) as (
  select change_id, change_id
  from enterprise.company_changes
  where change_id = any(%(changes)s)
  union all
  select line.origin, back.change_id
  from line
  join enterprise.company_changes as back on back.reverses = line.change_id
)
select origin, max(change_id)
from line
group by origin

-- doubted_plans: plans of names about which something was decided, the companies it was decided against, and the decision
with about as materialized (
  select decision_id, normalized_name, plan_code, from_company, to_company
  from enterprise.identity_decisions
  where undone_at is null
    and normalized_name is not null
),
places as materialized (
  select distinct about.decision_id, {plan}::text as plan, fact.{company}::text as company
  from {table} as fact
  join about on about.normalized_name = {customer} and (about.plan_code is null or about.plan_code = {plan})
  where {plan} is not null
),
found as (
  select decision_id, from_company as company
  from about
  where from_company is not null
  union
  select about.decision_id, entry.company_id
  from about
  join enterprise.enrichment_index as entry on entry.lookup_key = about.normalized_name
  where about.from_company is null
    and entry.lookup_type = 'customer_name'
  union
  select places.decision_id, entry.company_id
  from places
  join about using (decision_id)
  join enterprise.enrichment_index as entry on entry.lookup_key = places.plan || '|' || about.normalized_name
  where about.from_company is null
    and entry.lookup_type = 'plan_customer'
  union
  select about.decision_id, change.company_from
  from about
  join enterprise.company_changes as change on change.normalized_name = about.normalized_name
  where about.from_company is null
    and (about.plan_code is null or about.plan_code = change.plan_code)
),
doubted as (
  select places.plan, found.company, decision_id
  from places
  join found using (decision_id)
  union
  select plan, company, decision_id
  from places
  join about using (decision_id)
  where about.from_company is null
)
select doubted.plan, doubted.company, max(decision_id)
from doubted
join about using (decision_id)
where doubted.company !~ '^IN[A-Z2-7]{{16}}$'
  and doubted.company is distinct from about.to_company
group by 1, 2

-- is_doubted: whether a fact has its company because its plan has, which decisions about other facts speak against
(
  fact._identity_source in ('index_plan_code', 'same_load')
  and ({plan}::text, fact.{company}::text) in (
    select plan, company
    from unnest({plans}::text[], {companies}::text[]) as doubted (plan, company)
  )
)

-- fact_groups: facts that may belong to another company by now, one line for rows of a month that are alike
with taken as ({taken_back})
select fact.{month},
       {customer}::text,
       {plan}::text,
       {plan_type}::text,
       fact.{company}::text,
       fact._identity_source,
       fact._identity_confidence,
       taken.changes,
       array_agg(fact.id order by fact.id),
       array[{sums}]::numeric[]
from {table} as fact
left join taken on taken.row_id = fact.id
where fact.{company} ~ '^IN[A-Z2-7]{{16}}$'
   or fact._identity_source in ('decision', 'unresolved')
   or taken.row_id is not null
   or fact.{company} in (
     select from_company
     from enterprise.identity_decisions
     where undone_at is null
       and kind = 'merge'
   )
   or {customer} in (
     select normalized_name
     from enterprise.identity_decisions
     where undone_at is null
       and normalized_name is not null
   )
   or {is_doubted}
group by 1, 2, 3, 4, 5, 6, 7, 8
order by 1, 5, 2, 3, 4, 6, 7, 8

-- sure_companies: what facts of the months say surely of names and plans, neither by a decision nor against one
with taken as ({taken_back})
select distinct fact.{month}, {customer}::text, {plan}::text, {plan_type}::text, fact.{company}::text
from {table} as fact
where fact.{month} = any({months})
  and fact.{company} !~ '^IN[A-Z2-7]{{16}}$'
  and fact._identity_source <> all({by_hand})
  and fact._identity_confidence > {surest_doubt}
  and fact.id not in (select row_id from taken)
  and not exists (
    select
    from enterprise.identity_decisions as made
    where made.undone_at is null
      and made.normalized_name = {customer}
      and (made.plan_code is null or made.plan_code = {plan})
      and (made.to_company is not null or made.from_company = fact.{company})
  )
  and {is_doubted} is not true

-- value_groups: other rows that hold a company which may be another by now, one line for rows that are alike
with taken as ({taken_back}),
changed as materialized (
  select distinct member.row_id
  from enterprise.company_changes as change
  cross join lateral unnest(change.row_ids) as member (row_id)
  where change.table_name = {table_name}
)
select {key}::text, kept.{column}::text, taken.changes, changed.row_id is not null, array_agg(kept.id order by kept.id)
from {table} as kept
left join taken on taken.row_id = kept.id
left join changed on changed.row_id = kept.id
where (
    taken.row_id is not null
    or kept.{column} in (
      select from_company
      from enterprise.identity_decisions
      where undone_at is null
        and kind = 'merge'
    )
    or {key}::text = any({keys})
    or kept.{column} = any({companies})
  )
  and {may_change}
group by 1, 2, 3, 4
order by 1, 2, 3, 4

-- past_changes: where the rows of earlier changes stood before and after
select change_id, company_from, source_from, confidence_from, company_to, source_to, confidence_to, decision_id
from enterprise.company_changes
where change_id = any(%(changes)s)

-- undone_decisions: what was said and taken back since
select decision_id, kind, normalized_name, plan_code, from_company, to_company
from enterprise.identity_decisions
where undone_at is not null
order by decision_id

-- create_stage: where the rows that change wait, and to what they do
create temporary table wdh_repointed (
  table_name text not null,
  row_id bigint not null,
  company_from text,
  source_from text,
  company_to text,
  source_to text,
  confidence_to real,
  primary key (table_name, row_id)
)

-- moved_rows: the columns of a month's changing facts, under their new company
copy (
  select {columns}
  from {table} as fact
  join pg_temp.wdh_repointed as moved on moved.row_id = fact.id and moved.table_name = {table_name}
  where fact.{month} = {period}
  order by fact.id
) to stdout with (format csv)

-- goes: whether a fact of a month changes its company
(
  fact.{month} = {period}
  and fact.id in (select moved.row_id from pg_temp.wdh_repointed as moved where moved.table_name = {table_name})
)

-- moved_keys: by key and company, where a key's facts go when none of them stays with that company; most facts first
with moving as materialized (
  select row_id, company_from, company_to
  from pg_temp.wdh_repointed
  where table_name = {table_name}
),
staying as materialized (
  select distinct fact.{key} as key, fact.{company} as company
  from {table} as fact
  left join moving on moving.row_id = fact.id
  where moving.row_id is null
    and fact.{company} in (select company_from from moving)
)
select fact.{key}::text, moving.company_from, moving.company_to, count(*)
from {table} as fact
join moving on moving.row_id = fact.id
left join staying on staying.key = fact.{key} and staying.company = moving.company_from
where fact.{key} is not null
  and moving.company_to is not null
  and moving.company_from is distinct from moving.company_to
  and staying.key is null
group by 1, 2, 3
order by 1, 2, 4 desc, 3

-- staying_companies: which of the companies facts stay with that do not change
select distinct fact.{company}::text
from {table} as fact
where fact.{company} = any({companies})
  and not exists (
    select
    from pg_temp.wdh_repointed as moved
    where moved.table_name = {table_name}
      and moved.row_id = fact.id
  )

-- update_facts: give a month's changing facts their new company
update {table} as fact
set {company} = moved.company_to,
    _identity_source = moved.source_to,
    _identity_confidence = moved.confidence_to,
    updated_at = now()
from pg_temp.wdh_repointed as moved
where moved.table_name = {table_name}
  and moved.row_id = fact.id
  and fact.{month} = {period}
  and fact.{company} is not distinct from moved.company_from
  and fact._identity_source is not distinct from moved.source_from

-- update_values: give other rows their new company, where they still hold the old one
update {table} as kept
set {column} = moved.company_to{touched}
from pg_temp.wdh_repointed as moved
where moved.table_name = {table_name}
  and moved.row_id = kept.id
  and kept.{column} is not distinct from moved.company_from
returning kept.id

-- known_keys: which of the keys a reference table has
select kept.{key}::text
from {table} as kept
where kept.{key} = any({keys})

-- move_customers: keep rows under the companies that their temporary ids became
update {table} as kept
set {key} = became.after{touched}
from unnest({before}::text[], {after}::text[]) as became (before, after)
where kept.{key} = became.before

-- drop_customers: remove rows of temporary ids whose company has a row of its own
delete from {table} as kept
where kept.{key} = any({before})

-- month_sums: rows and money of the months that an apply touches
select count(*), array[{sums}]::numeric[]
from {table} as fact
where fact.{month} = any({months})

-- table_columns: the columns of a table, none where there is no such table
select attname::text
from pg_attribute
where attrelid = to_regclass(%(table)s)
  and attnum > 0
  and not attisdropped

-- record_changes: which rows went from one company to another
insert into enterprise.company_changes
  (load_id, table_name, normalized_name, plan_code, company_from, source_from, confidence_from,
   company_to, source_to, confidence_to, decision_id, reverses, row_ids, rows)
values %s
