-- disown: what a runner holds without knowing of it belongs to nobody, so that a sweep takes it up
update etl.etl_leases as lease
set owner = null,
    claimed_at = null
where lease.owner = %(worker)s
  and not exists (
    select
    from unnest(%(pipelines)s::uuid[], %(epochs)s::bigint[]) as known (pipeline_id, epoch)
    where known.pipeline_id = lease.pipeline_id
      and known.epoch = lease.epoch
  )
returning lease.pipeline_id
