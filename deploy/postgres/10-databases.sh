#!/bin/sh
# Run by the image of PostgreSQL when its data folder is new.
set -eu
createdb --username "$POSTGRES_USER" warehouse
psql -X -v ON_ERROR_STOP=1 -v warehouse=warehouse --username "$POSTGRES_USER" --dbname postgres -f /deploy/dagster.sql
