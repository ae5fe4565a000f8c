-- Dagster's own role and database, and a warehouse that this role cannot enter. For a superuser, as often as one likes:
--   WDH_DAGSTER_DB_PASSWORD=… psql -X -v ON_ERROR_STOP=1 -v warehouse=warehouse -f deploy/postgres/dagster.sql
-- Names other than dagster: -v role=… -v database=…
\if :{?role} \else \set role dagster \endif
\if :{?database} \else \set database dagster \endif
\getenv password WDH_DAGSTER_DB_PASSWORD

select not exists (select from pg_roles where rolname = :'role') as is_new \gset
\if :is_new
create role :"role" nosuperuser nocreatedb nocreaterole noinherit;
\endif

\if :{?password}
-- So that the password stands in no log of the server.
set log_statement = 'none';
set log_min_error_statement = 'panic';
set log_min_duration_statement = -1;
alter role :"role" login password :'password';
\endif

select not exists (select from pg_database where datname = :'database') as is_new \gset
\if :is_new
create database :"database" owner :"role";
\endif
revoke all on database :"database" from public;

-- Everybody may connect to a new database; the warehouse is for those that `wdh db roles` made.
revoke connect on database :"warehouse" from public;
select format('grant connect on database %I to %I', :'warehouse', rolname)
from pg_roles
where rolname in ('wdh_migrator', 'wdh_app', 'etl_api', 'etl_reader', 'etl_writer', 'bi_reader')
\gexec
