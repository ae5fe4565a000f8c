"""Monthly plan and portfolio facts: business.规模明细."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("""
        create table business.规模明细 (
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
          期初资产规模 numeric(18,4),
          期末资产规模 numeric(18,4),
          供款 numeric(18,4),
          流失_含待遇支付 numeric(18,4),
          流失 numeric(18,4),
          待遇支付 numeric(18,4),
          投资收益 numeric(18,4),
          当期收益率 numeric(10,6),
          年化收益率 numeric(10,6),
          机构代码 varchar(255),
          机构名称 varchar(255),
          产品线代码 varchar(255),
          年金账户号 varchar(50),
          年金账户名 varchar(255),
          子企业号 varchar(50),
          子企业名称 varchar(255),
          集团企业客户号 varchar(50),
          集团企业客户名称 varchar(255),
          company_id varchar(50),
          created_at timestamptz not null default now(),
          updated_at timestamptz not null default now(),
          _identity_source text,
          _identity_confidence real,
          _load_id bigint,
          _source_file text,
          _source_sheet text,
          _source_row integer
        )
    """)
    # Each further index adds a tenth to the load.
    op.execute('create index "idx_规模明细_月度_计划代码_company_id" on business.规模明细 (月度, 计划代码, company_id)')
    op.execute('create index "idx_规模明细_company_id" on business.规模明细 (company_id)')
    op.execute('create index "idx_规模明细_计划代码" on business.规模明细 (计划代码)')
    op.execute('create index "idx_规模明细_机构代码" on business.规模明细 (机构代码)')


def downgrade() -> None:
    op.execute("drop table business.规模明细")
