#!/bin/bash
# Runs once, inside the PostgreSQL container, when its volume is new: the three roles with their
# own passwords, and a database that hone_owner owns.
set -euo pipefail
: "${HONE_OWNER_PASSWORD:?}" "${HONE_APP_PASSWORD:?}" "${HONE_WORKER_PASSWORD:?}"

psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname postgres \
  -v owner="$HONE_OWNER_PASSWORD" -v app="$HONE_APP_PASSWORD" -v worker="$HONE_WORKER_PASSWORD" <<'SQL'
CREATE ROLE hone_owner LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'owner';
CREATE ROLE hone_app LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'app';
CREATE ROLE hone_worker LOGIN NOSUPERUSER NOBYPASSRLS PASSWORD :'worker';
GRANT hone_app, hone_worker TO hone_owner;
CREATE DATABASE hone OWNER hone_owner;
REVOKE ALL ON DATABASE hone FROM PUBLIC;
GRANT CONNECT ON DATABASE hone TO hone_app, hone_worker;
GRANT TEMPORARY ON DATABASE hone TO hone_app;  -- imports stage their rows
SQL
