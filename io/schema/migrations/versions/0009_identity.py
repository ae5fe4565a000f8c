"""Who is which company: the registry's answers, the index of names, the queue, people's decisions."""

from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

TABLES = (
    "refresh_runs",
    "company_changes",
    "identity_decisions",
    "registry_searches",
    "enrichment_requests",
    "enrichment_index",
    "biz_label",
    "business_info",
    "base_info",
)


def upgrade() -> None:
    for create in (_registry_answers, _index, _queue, _decisions, _refresh):
        create()


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"drop table enterprise.{table}")


def _registry_answers() -> None:
    op.execute("""
        create table enterprise.base_info (
          company_id varchar(255) constraint base_info_pkey1 primary key,
          id integer generated always as identity unique,
          search_key_word varchar(255),
          name varchar(255),
          name_display varchar(255),
          symbol varchar(255),
          rank_score double precision,
          country varchar(255),
          company_en_name varchar(255),
          smdb_code varchar(255),
          is_hk integer,
          coname varchar(255),
          is_list integer,
          company_nature varchar(255),
          _score double precision,
          type varchar(255),
          is_pa_relatedparty integer,
          organization_code varchar(255),
          le_rep text,
          reg_cap numeric(20, 2),
          province varchar(255),
          est_date varchar(255),
          company_short_name varchar(255),
          is_debt integer,
          unite_code varchar(255),
          registered_status varchar(255),
          cocode varchar(255),
          default_score double precision,
          company_former_name text,
          is_rank_list integer,
          trade_register_code varchar(255),
          company_full_name varchar(255),
          is_normal integer,
          data_source varchar(20) not null check (data_source in ('search', 'direct_id', 'refresh')),
          raw_data jsonb,
          raw_business_info jsonb,
          raw_biz_label jsonb,
          api_fetched_at timestamptz,
          updated_at timestamptz not null default now()
        )
    """)
    for column in ("unite_code", "search_key_word", "api_fetched_at"):
        op.execute(f"create index idx_base_info_{column} on enterprise.base_info ({column})")
    op.execute("""
        create table enterprise.business_info (
          id integer generated always as identity primary key,
          company_id varchar(255) not null unique references enterprise.base_info,
          registered_date date,
          registered_capital numeric(20, 2),
          start_date date,
          end_date date,
          colleagues_num integer,
          actual_capital numeric(20, 2),
          registered_status varchar(100),
          legal_person_name varchar(255),
          address text,
          codename varchar(100),
          company_name varchar(255),
          company_en_name text,
          currency varchar(50),
          credit_code varchar(50),
          register_code varchar(50),
          organization_code varchar(50),
          company_type varchar(100),
          industry_name varchar(255),
          registration_organ_name varchar(255),
          start_end varchar(100),
          business_scope text,
          telephone varchar(100),
          email_address varchar(255),
          website varchar(500),
          company_former_name text,
          control_id varchar(100),
          control_name varchar(255),
          bene_id varchar(100),
          bene_name varchar(255),
          province varchar(100),
          department varchar(255),
          legal_person_id varchar(100),
          logo_url text,
          type_code varchar(50),
          update_time date,
          registered_capital_currency varchar(50),
          full_register_type_desc varchar(255),
          industry_code varchar(50),
          _cleansing_status jsonb not null default '{}',
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        )
    """)
    op.execute("""
        create table enterprise.biz_label (
          id integer generated always as identity primary key,
          company_id varchar(255) not null references enterprise.base_info,
          type varchar(100),
          lv1_name varchar(255),
          lv2_name varchar(255),
          lv3_name varchar(255),
          lv4_name varchar(255),
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
        )
    """)
    op.execute("create index idx_biz_label_company_id on enterprise.biz_label (company_id)")
    op.execute("create index idx_biz_label_hierarchy on enterprise.biz_label (company_id, type, lv1_name, lv2_name)")
    # What a name search answered, kept for names without a match too: they are not asked again for a while.
    op.execute("""
        create table enterprise.registry_searches (
          normalized_name text primary key check (normalized_name <> '' and length(normalized_name) <= 255),
          normaliser_version smallint not null,
          searched_name text not null,
          outcome text not null check (outcome in ('accepted', 'review', 'uncertain', 'not_found')),
          company_id varchar(100),
          confidence numeric(3, 2) check (confidence between 0 and 1),
          candidates jsonb not null default '[]',
          asked_at timestamptz not null default clock_timestamp(),
          check ((outcome = 'not_found') = (company_id is null))
        )
    """)


def _index() -> None:
    op.execute("""
        create table enterprise.enrichment_index (
          id integer generated always as identity primary key,
          lookup_key varchar(600) not null check (lookup_key <> ''),
          lookup_type varchar(20) not null
            check (lookup_type in ('plan_code', 'customer_name', 'plan_customer', 'former_name')),
          company_id varchar(100) not null check (company_id <> '' and company_id !~ '^IN[A-Z2-7]{16}$'),
          confidence numeric(3, 2) not null default 1.00 check (confidence between 0 and 1),
          source varchar(50) not null
            check (source in ('yaml', 'eqc_api', 'manual', 'backflow', 'domain_learning', 'legacy_migration')),
          source_domain varchar(50),
          source_table varchar(100),
          normaliser_version smallint not null,
          is_ambiguous boolean not null default false,
          expires_at timestamptz,
          hit_count integer not null default 0 check (hit_count >= 0),
          last_hit_at timestamptz,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now(),
          constraint uq_enrichment_index_key_type unique (lookup_key, lookup_type)
        )
    """)
    op.execute("create index ix_enrichment_index_type_key on enterprise.enrichment_index (lookup_type, lookup_key)")
    for column in ("source", "source_domain", "company_id"):
        op.execute(f"create index ix_enrichment_index_{column} on enterprise.enrichment_index ({column})")


def _queue() -> None:
    op.execute("""
        create table enterprise.enrichment_requests (
          id bigint generated always as identity primary key,
          raw_name text not null,
          normalized_name text not null check (normalized_name <> '' and length(normalized_name) <= 255),
          normaliser_version smallint not null,
          temp_id varchar(50) not null check (temp_id ~ '^IN[A-Z2-7]{16}$'),
          status varchar(20) not null default 'pending' check (status in ('pending', 'processing', 'done', 'failed')),
          attempts integer not null default 0 check (attempts between 0 and 3),
          next_retry_at timestamptz default now(),
          claimed_by text,
          lease_until timestamptz,
          last_error text,
          resolved_company_id varchar(100),
          requested_by_load bigint references ledger.loads,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now(),
          check ((status = 'processing') = (claimed_by is not null)),
          check ((status = 'processing') = (lease_until is not null)),
          check ((status = 'pending') = (next_retry_at is not null)),
          check ((status = 'done') = (resolved_company_id is not null))
        )
    """)
    op.execute("create index on enterprise.enrichment_requests (status, created_at)")
    op.execute("create index on enterprise.enrichment_requests (status, next_retry_at)")
    op.execute(
        "create unique index idx_enrichment_requests_normalized on enterprise.enrichment_requests (normalized_name)"
        " where status in ('pending', 'processing')"
    )


def _decisions() -> None:
    op.execute("""
        create table enterprise.identity_decisions (
          decision_id bigint generated always as identity primary key,
          kind text not null check (kind in ('accept', 'choose', 'reject', 'merge', 'split')),
          normalized_name text check (normalized_name <> ''),
          plan_code text check (plan_code <> ''),
          from_company varchar(100),
          to_company varchar(100) check (to_company <> ''),
          reason text not null check (btrim(reason) <> ''),
          actor text not null check (btrim(actor) <> ''),
          evidence jsonb not null default '{}',
          decided_at timestamptz not null default clock_timestamp(),
          undone_at timestamptz,
          undone_by text,
          undone_reason text,
          check ((kind = 'merge') = (normalized_name is null)),
          check (kind <> 'merge' or (from_company is not null and to_company is not null and plan_code is null)),
          check (kind not in ('accept', 'choose') or to_company is not null),
          check (kind not in ('reject', 'split') or from_company is not null),
          check (kind <> 'reject' or to_company is null),
          check (from_company is distinct from to_company),
          check ((undone_at is null) = (undone_by is null))
        )
    """)
    op.execute(
        "create unique index identity_decisions_one_company on enterprise.identity_decisions"
        " (normalized_name, coalesce(plan_code, '')) where undone_at is null and kind not in ('merge', 'reject')"
    )
    op.execute(
        "create unique index identity_decisions_one_rejection on enterprise.identity_decisions"
        " (normalized_name, coalesce(plan_code, ''), from_company) where undone_at is null and kind = 'reject'"
    )
    op.execute(
        "create unique index identity_decisions_one_merge on enterprise.identity_decisions (from_company)"
        " where undone_at is null and kind = 'merge'"
    )
    # Which stored rows went from one company to another, so that it can be taken back exactly.
    op.execute("""
        create table enterprise.company_changes (
          change_id bigint generated always as identity primary key,
          load_id bigint not null references ledger.loads,
          table_name text not null,
          normalized_name text,
          plan_code text,
          company_from varchar(100),
          source_from text,
          confidence_from real,
          company_to varchar(100),
          source_to text,
          confidence_to real,
          decision_id bigint references enterprise.identity_decisions,
          reverses bigint unique references enterprise.company_changes,
          row_ids bigint[] not null,
          rows bigint not null check (rows >= 0)
        )
    """)
    op.execute("create index on enterprise.company_changes (load_id)")
    op.execute("create index on enterprise.company_changes (decision_id)")


def _refresh() -> None:
    op.execute("""
        create table enterprise.refresh_runs (
          refresh_id bigint generated always as identity primary key,
          selection text not null check (selection in ('stale', 'all', 'listed')),
          company_ids text[] not null default '{}',
          threshold_days integer,
          companies_total integer not null,
          companies_refreshed integer not null default 0,
          companies_failed jsonb not null default '{}',
          last_company_id text,
          status text not null default 'running' check (status in ('running', 'done')),
          actor text not null,
          started_at timestamptz not null default clock_timestamp(),
          updated_at timestamptz not null default clock_timestamp()
        )
    """)
