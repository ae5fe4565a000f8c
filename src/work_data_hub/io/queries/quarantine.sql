-- corrections: the corrected cells of some files, each with the load that took it and the file's name there
select file_sha256, sheet, row_number, column_name, value, found, load_id, given.file ->> 'path'
from ledger.corrections
left join ledger.loads as load using (load_id)
left join lateral (
  select file
  from jsonb_array_elements(load.files) as listed (file)
  where file ->> 'sha256' = corrections.file_sha256
  limit 1
) as given on true
where corrections.domain = %(domain)s
  and file_sha256 = any(%(hashes)s)

-- waivers: the rows of some files that their owners gave up, each with the load that took it and the file's name there
select file_sha256, sheet, row_number, reason, workbook, load_id, given.file ->> 'path'
from ledger.waivers
left join ledger.loads as load using (load_id)
left join lateral (
  select file
  from jsonb_array_elements(load.files) as listed (file)
  where file ->> 'sha256' = waivers.file_sha256
  limit 1
) as given on true
where waivers.domain = %(domain)s
  and file_sha256 = any(%(hashes)s)

-- open_rows: the rows that a load left open
select file_sha256, sheet, row_number
from ledger.rejected_rows
where load_id = %(load_id)s
  and status = 'open'

-- keep_corrections: take over corrected cells from the stage; what was found at first stays
insert into ledger.corrections
  (domain, file_sha256, sheet, row_number, column_name, value, found, load_id, actor)
select %(domain)s, file_sha256, sheet, row_number, column_name, value, found, %(load_id)s, %(actor)s
from pg_temp.wdh_corrections
on conflict (domain, file_sha256, sheet, row_number, column_name) do update
set value = excluded.value,
    load_id = excluded.load_id,
    actor = excluded.actor,
    corrected_at = clock_timestamp()
where corrections.value is distinct from excluded.value

-- withdraw_waivers: a row that was corrected or opened again after it was given up is no longer given up
delete from ledger.waivers as waiver
using pg_temp.wdh_opened as opened
where waiver.domain = %(domain)s
  and waiver.file_sha256 = opened.file_sha256
  and waiver.sheet = opened.sheet
  and waiver.row_number = opened.row_number

-- keep_waivers: take over given-up rows from the stage
insert into ledger.waivers (domain, file_sha256, sheet, row_number, reason, workbook, load_id, actor)
select %(domain)s, file_sha256, sheet, row_number, reason, workbook, %(load_id)s, %(actor)s
from pg_temp.wdh_waivers
on conflict (domain, file_sha256, sheet, row_number) do nothing

-- settle: rows that earlier loads of these files left open, or gave up, and that this load settles
update ledger.rejected_rows as earlier
set status = settled.status,
    settled_by_load = %(load_id)s,
    settled_at = clock_timestamp(),
    settled_by = %(actor)s
from (
  select earlier.reject_id, coalesce(now.status, 'fixed') as status
  from ledger.rejected_rows as earlier
  left join ledger.rejected_rows as now
    on now.load_id = %(load_id)s
    and now.file_sha256 = earlier.file_sha256
    and now.sheet = earlier.sheet
    and now.row_number = earlier.row_number
  where earlier.domain = %(domain)s
    and earlier.period = %(period)s
    and earlier.file_sha256 = any(%(hashes)s)
    and earlier.load_id <> %(load_id)s
    and earlier.status <> 'fixed'
) as settled
where earlier.reject_id = settled.reject_id
  and settled.status not in ('open', earlier.status)

-- standing: the newest word on each rejected row of the loads that the months consist of now, each row once
with replaced as (
  select domain, period, max(load_id) as load_id
  from ledger.loads
  where status = 'loaded'
  group by domain, period
),
standing as (
  select load.load_id, load.domain, load.period, load.run_id, load.committed_at, load.files
  from ledger.loads as load
  left join replaced using (domain, period)
  where load.load_id >= coalesce(replaced.load_id, 0)
    and (%(domain)s::text is null or load.domain = %(domain)s)
    and (%(period)s::date is null or load.period = %(period)s)
),
newest as (
  select distinct on (standing.domain, standing.period, reject.file_sha256, reject.sheet, reject.row_number)
    standing.*, reject.file, reject.sheet, reject.row_number, reject.cells, reject.status, reject.settled_by_load,
    reject.file_sha256
  from standing
  join ledger.rejected_rows as reject
    on reject.domain = standing.domain
    and reject.period = standing.period
    and reject.load_id <= standing.load_id
    and reject.file_sha256 in (select given.file ->> 'sha256' from jsonb_array_elements(standing.files) as given (file))
  order by
    standing.domain, standing.period, reject.file_sha256, reject.sheet, reject.row_number,
    standing.load_id desc, reject.load_id desc
),
-- A run that was refused left no rejected rows; what came back of them stands among the corrections.
fixed_at_once as (
  select distinct on (standing.domain, standing.period, fixed.file_sha256, fixed.sheet, fixed.row_number)
    standing.*, given.file ->> 'path' as file, fixed.sheet, fixed.row_number, fixed.load_id as settled_by_load
  from standing
  cross join jsonb_array_elements(standing.files) as given (file)
  join ledger.corrections as fixed
    on fixed.domain = standing.domain
    and fixed.file_sha256 = given.file ->> 'sha256'
    and fixed.load_id <= standing.load_id
  where not exists (
    select 1
    from newest
    where newest.domain = fixed.domain
      and newest.period = standing.period
      and newest.file_sha256 = fixed.file_sha256
      and newest.sheet = fixed.sheet
      and newest.row_number = fixed.row_number
  )
  order by
    standing.domain, standing.period, fixed.file_sha256, fixed.sheet, fixed.row_number,
    standing.load_id desc, fixed.load_id desc
)
select load_id, domain, period, run_id, committed_at, file, sheet, row_number, cells, status, settled_by_load
from newest
union all
select
  load_id, domain, period, run_id, committed_at, file, sheet, row_number, '[]'::jsonb, 'fixed', settled_by_load
from fixed_at_once
order by domain, period, load_id, file, sheet, row_number
