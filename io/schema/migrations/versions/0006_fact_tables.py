"""The other fact tables: fees, mandates won and lost, the trustee's figures."""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# What a load writes beside the declared columns.
KEPT = """
          _identity_source text,
          _identity_confidence real,
          _load_id bigint,
          _source_file text,
          _source_sheet text,
          _source_row integer,
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now()
"""


def upgrade() -> None:
    create_income()
    create_register("中标客户明细", day="中标日期")
    create_register("流失客户明细", day="流失日期")
    create_trustee_performance()


def create_income() -> None:
    op.execute(f"""
        create table business.收入明细 (
          id bigint generated always as identity primary key,
          月度 date not null,
          业务类型 varchar(255),
          计划类型 varchar(255),
          计划代码 varchar(255) not null,
          计划名称 varchar(255),
          组合类型 varchar(255),
          组合代码 varchar(255),
          组合名称 varchar(255),
          客户名称 varchar(255),
          年金账户名 varchar(255),
          固费 numeric(18,4) not null,
          浮费 numeric(18,4) not null,
          回补 numeric(18,4) not null,
          税 numeric(18,4) not null,
          机构代码 varchar(255),
          机构名称 varchar(255),
          产品线代码 varchar(255),
          company_id varchar(50),
          {KEPT}
        )
    """)
    op.execute('create index "idx_收入明细_月度_计划代码_company_id" on business.收入明细 (月度, 计划代码, company_id)')
    for column in ("月度", "计划代码", "company_id"):
        op.execute(f'create index "idx_收入明细_{column}" on business.收入明细 ({column})')


def create_register(table: str, *, day: str) -> None:
    op.execute(f"""
        create table customer.{table} (
          id bigint generated always as identity primary key,
          上报月份 date not null,
          业务类型 varchar(20) not null,
          产品线代码 varchar(10),
          上报客户名称 varchar(255) not null,
          客户名称 varchar(255),
          年金计划号 varchar(50),
          company_id varchar(50),
          机构名称 varchar(100),
          机构代码 varchar(10) not null,
          {day} date,
          计划规模 numeric(18,4),
          年缴规模 numeric(18,4),
          客户类型 varchar(50),
          原受托人 varchar(255),
          计划类型 varchar(50),
          证明材料 varchar(255),
          考核有效 integer,
          备注 text,
          {KEPT}
        )
    """)
    for column in ("上报月份", "业务类型", "company_id", "年金计划号"):
        op.execute(f'create index "idx_{table}_{column}" on customer.{table} ({column})')


def create_trustee_performance() -> None:
    op.execute("create schema if not exists sandbox")
    op.execute(f"""
        create table sandbox.sandbox_trustee_performance (
          id bigint generated always as identity primary key,
          report_date date not null,
          plan_code varchar(50) not null,
          company_code varchar(20) not null,
          return_rate numeric(10,6),
          net_asset_value numeric(18,4),
          fund_scale numeric(18,2),
          has_performance_data boolean not null,
          validation_warnings text,
          {KEPT}
        )
    """)
    op.execute(
        "create unique index key_sandbox_trustee_performance"
        " on sandbox.sandbox_trustee_performance (report_date, plan_code, company_code)"
    )


def downgrade() -> None:
    op.execute("drop table sandbox.sandbox_trustee_performance")
    op.execute("drop schema sandbox")
    op.execute("drop table customer.流失客户明细")
    op.execute("drop table customer.中标客户明细")
    op.execute("drop table business.收入明细")
