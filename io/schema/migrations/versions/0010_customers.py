"""Which company holds which plan: contracts with their history, monthly snapshots, and the views for reports."""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

VIEWS = (
    "fct_customer_plan_monthly_summary",
    "fct_customer_monthly_summary",
    "dim_time",
    "dim_product_line",
    "dim_customer",
)
TABLES = (
    "customer.fct_customer_plan_monthly",
    "customer.fct_customer_product_line_monthly",
    "customer.customer_plan_contract",
)


REGISTERS = ("customer.中标客户明细", "customer.流失客户明细")


def upgrade() -> None:
    # Forbids versions that overlap. A downgrade leaves it: others may use it by then.
    op.execute("create extension if not exists btree_gist")
    for table in REGISTERS:
        op.execute(f"alter table {table} add column 年金计划号来源 varchar(10)")
    for create in (_contracts, _periods, _register_loads, _product_line_snapshots, _plan_snapshots, _hooks, _views):
        create()


def downgrade() -> None:
    for view in VIEWS:
        op.execute(f"drop view bi.{view}")
    op.execute("drop schema bi")
    for table in REGISTERS:
        op.execute(f"alter table {table} drop column 年金计划号来源")
    op.execute("drop table ledger.hook_runs")
    for table in TABLES:
        op.execute(f"drop table {table}")
    op.execute("drop table customer.register_loads")
    op.execute("drop table customer.contract_years")
    op.execute("drop table customer.contract_periods")


def _contracts() -> None:
    op.execute("""
        create table customer.customer_plan_contract (
          id bigint generated always as identity primary key,
          company_id varchar(50) not null
            constraint fk_contract_company references customer.客户明细 (company_id)
            on update cascade deferrable initially deferred,
          plan_code varchar(255) not null,
          product_line_code varchar(255) not null
            constraint fk_contract_product_line references mapping.产品线 (产品线代码),
          is_strategic boolean not null,
          is_existing boolean not null,
          status_year integer not null,
          contract_status varchar(20) not null
            constraint contract_status_known check (contract_status in ('正常', '停缴')),
          valid_from date not null,
          valid_to date not null default '9999-12-31',
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now(),
          constraint contract_interval check (valid_from < valid_to and valid_to <= '9999-12-31'),
          constraint contract_key check (company_id <> '' and plan_code <> '' and valid_from >= '2000-01-01'),
          constraint contract_year check (status_year between 2000 and 2100),
          constraint uq_contract_version unique (company_id, plan_code, product_line_code, valid_from)
            deferrable initially deferred,
          -- The hash of the key in place of its columns: a third of the time to keep.
          constraint contract_versions_apart exclude using gist (
            hashtextextended(company_id, hashtextextended(plan_code, hashtextextended(product_line_code, 0))) with =,
            daterange(valid_from, valid_to) with &&
          ) deferrable initially deferred
        )
    """)
    op.execute("""
        create unique index uq_contract_open on customer.customer_plan_contract
          (company_id, plan_code, product_line_code) where valid_to = '9999-12-31'
    """)
    for name, columns in (
        ("idx_contract_plan", "(plan_code)"),
        ("idx_contract_product_line", "(product_line_code)"),
        ("idx_contract_strategic", "(company_id) where is_strategic"),
        ("idx_contract_status_year", "(status_year)"),
        ("idx_contract_valid_from_brin", "using brin (valid_from)"),
    ):
        columns = columns if columns.startswith("using") else f"using btree {columns}"
        op.execute(f"create index {name} on customer.customer_plan_contract {columns}")
    op.execute("create index idx_contract_company on customer.customer_plan_contract (company_id, valid_from)")


def _periods() -> None:
    op.execute("""
        create table customer.contract_periods (
          period date primary key check (extract(day from period) = 1),
          load_id bigint,
          snapshot_is_current boolean not null default false,
          synced_at timestamptz not null default now()
        )
    """)
    op.execute("""
        create table customer.contract_years (
          status_year integer primary key check (status_year between 2000 and 2100),
          cut_over_at timestamptz not null default now(),
          actor text not null
        )
    """)


def _register_loads() -> None:
    op.execute("""
        create table customer.register_loads (
          domain text not null,
          period date not null,
          load_id bigint not null,
          primary key (domain, period)
        )
    """)


def _product_line_snapshots() -> None:
    op.execute("""
        create table customer.fct_customer_product_line_monthly (
          snapshot_month date not null,
          company_id varchar(50) not null
            constraint fk_fct_pl_company references customer.客户明细 (company_id)
            on update cascade deferrable initially deferred,
          product_line_code varchar(255) not null
            constraint fk_fct_pl_product_line references mapping.产品线 (产品线代码),
          is_strategic boolean not null,
          is_existing boolean not null,
          is_new boolean not null,
          is_new_arrival boolean not null,
          is_winning_this_year boolean not null,
          is_loss_reported boolean not null,
          is_churned_this_year boolean not null,
          is_award_only boolean not null,
          aum_balance numeric(20,4) not null,
          plan_count integer not null,
          updated_at timestamptz not null default now(),
          constraint pk_fct_pl primary key (snapshot_month, company_id, product_line_code),
          constraint fct_pl_month_end check (extract(day from snapshot_month + 1) = 1)
        )
    """)
    for name, columns in (
        ("idx_fct_pl_company", "(company_id)"),
        ("idx_fct_pl_product_line", "(product_line_code)"),
        ("idx_fct_pl_month_product", "(snapshot_month, product_line_code)"),
        ("idx_fct_pl_strategic", "(snapshot_month) where is_strategic"),
    ):
        op.execute(f"create index {name} on customer.fct_customer_product_line_monthly {columns}")
    op.execute("""
        create index idx_fct_pl_month_brin on customer.fct_customer_product_line_monthly using brin (snapshot_month)
    """)


def _plan_snapshots() -> None:
    op.execute("""
        create table customer.fct_customer_plan_monthly (
          snapshot_month date not null,
          company_id varchar(50) not null
            constraint fk_fct_plan_company references customer.客户明细 (company_id)
            on update cascade deferrable initially deferred,
          plan_code varchar(255) not null,
          product_line_code varchar(255) not null
            constraint fk_fct_plan_product_line references mapping.产品线 (产品线代码),
          contract_status varchar(20)
            constraint fct_plan_status_known check (contract_status in ('正常', '停缴')),
          is_strategic boolean not null,
          is_existing boolean not null,
          is_winning_this_year boolean not null,
          is_loss_reported boolean not null,
          is_churned_this_year boolean not null,
          is_award_only boolean not null,
          aum_balance numeric(20,4) not null,
          updated_at timestamptz not null default now(),
          constraint pk_fct_plan primary key (snapshot_month, company_id, plan_code, product_line_code),
          constraint fct_plan_month_end check (extract(day from snapshot_month + 1) = 1)
        )
    """)
    for name, columns in (
        ("idx_fct_plan_company", "(company_id)"),
        ("idx_fct_plan_plan_code", "(plan_code)"),
        ("idx_fct_plan_product_line", "(product_line_code)"),
        ("idx_fct_plan_churned", "(snapshot_month) where is_churned_this_year"),
    ):
        op.execute(f"create index {name} on customer.fct_customer_plan_monthly {columns}")
    op.execute("create index idx_fct_plan_month_brin on customer.fct_customer_plan_monthly using brin (snapshot_month)")


def _hooks() -> None:
    op.execute("""
        create table ledger.hook_runs (
          hook_run_id bigint generated always as identity primary key,
          hook text not null,
          domain text not null,
          period date not null,
          load_id bigint not null,
          status text not null check (status in ('succeeded', 'skipped', 'failed')),
          counts jsonb not null default '{}',
          error text,
          started_at timestamptz not null,
          completed_at timestamptz not null default clock_timestamp()
        )
    """)
    op.execute("create index hook_runs_load on ledger.hook_runs (load_id, hook)")


def _views() -> None:
    op.execute("create schema bi")
    op.execute("""
        create view bi.dim_customer as
        select customer.company_id,
               customer.客户名称 as customer_name,
               customer.年金客户类型 as customer_type,
               customer.tags as customer_tags,
               customer.客户简称 as customer_short_name,
               customer.最新受托规模 as latest_trustee_aum,
               customer.最新投管规模 as latest_investment_aum,
               customer.规模区间 as aum_tier,
               customer.关联计划数 as plan_count
        from customer.客户明细 as customer
        where exists (
          select from customer.fct_customer_product_line_monthly as fact where fact.company_id = customer.company_id
        )
    """)
    op.execute("""
        create view bi.dim_product_line as
        select 产品线代码 as product_line_code, 产品线 as product_line_name, 业务大类 as business_category
        from mapping.产品线
    """)
    op.execute("""
        create view bi.dim_time as
        select month.snapshot_month,
               extract(year from month.snapshot_month)::integer as year,
               extract(quarter from month.snapshot_month)::integer as quarter,
               extract(month from month.snapshot_month)::integer as month_number,
               to_char(month.snapshot_month, 'FMMonth') as month_name,
               to_char(month.snapshot_month, 'YYYY-MM') as year_month_label
        from (select distinct snapshot_month from customer.fct_customer_product_line_monthly) as month
    """)
    op.execute("""
        create view bi.fct_customer_monthly_summary as
        select fact.snapshot_month,
               fact.company_id,
               customer.客户名称 as customer_name,
               fact.product_line_code,
               line.产品线 as product_line_name,
               fact.is_strategic,
               fact.is_existing,
               fact.is_new,
               fact.is_new_arrival,
               fact.is_winning_this_year as is_winning,
               fact.is_loss_reported,
               fact.is_churned_this_year as is_churned,
               fact.is_award_only,
               fact.aum_balance,
               fact.plan_count,
               fact.updated_at
        from customer.fct_customer_product_line_monthly as fact
        join customer.客户明细 as customer on customer.company_id = fact.company_id
        join mapping.产品线 as line on line.产品线代码 = fact.product_line_code
    """)
    op.execute("""
        create view bi.fct_customer_plan_monthly_summary as
        select fact.snapshot_month,
               fact.company_id,
               customer.客户名称 as customer_name,
               fact.plan_code,
               plan.计划全称 as plan_name,
               fact.product_line_code,
               line.产品线 as product_line_name,
               fact.contract_status,
               fact.is_strategic,
               fact.is_existing,
               fact.is_winning_this_year as is_winning,
               fact.is_loss_reported,
               fact.is_churned_this_year as is_churned,
               fact.is_award_only,
               fact.aum_balance,
               fact.updated_at
        from customer.fct_customer_plan_monthly as fact
        join customer.客户明细 as customer on customer.company_id = fact.company_id
        join mapping.产品线 as line on line.产品线代码 = fact.product_line_code
        left join mapping.年金计划 as plan on plan.年金计划号 = fact.plan_code
    """)
