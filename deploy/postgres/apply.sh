#!/usr/bin/env bash
# Makes the database, roles and schemas of roles.sql on the server at $PGHOST, with the passwords in /run/secrets.
set -euo pipefail

PGPASSWORD=$(cat /run/secrets/postgres_password)
SAVINGS_INTAKE_PASSWORD=$(cat /run/secrets/postgres_password_intake)
SAVINGS_TRACKER_PASSWORD=$(cat /run/secrets/postgres_password_tracker)
SAVINGS_REPORTING_PASSWORD=$(cat /run/secrets/postgres_password_reporting)
SAVINGS_ACCESS_PASSWORD=$(cat /run/secrets/postgres_password_access)
export PGPASSWORD SAVINGS_INTAKE_PASSWORD SAVINGS_TRACKER_PASSWORD SAVINGS_REPORTING_PASSWORD SAVINGS_ACCESS_PASSWORD
exec psql -X -q -v ON_ERROR_STOP=1 -U postgres -d postgres -f /etc/savings/roles.sql
