-- One database; a role and a schema of its own for each service, and for the API keys that all of them check.
-- Run by psql as a superuser, as often as you like: what is there stays, passwords become the ones given.
--
-- From the environment: SAVINGS_DATABASE (the database's name) and SAVINGS_INTAKE_PASSWORD, SAVINGS_TRACKER_PASSWORD,
-- SAVINGS_REPORTING_PASSWORD, SAVINGS_ACCESS_PASSWORD. Needs psql 14 or later (\getenv).
\set ON_ERROR_STOP on
\set QUIET on
\getenv database SAVINGS_DATABASE
\getenv intake_password SAVINGS_INTAKE_PASSWORD
\getenv tracker_password SAVINGS_TRACKER_PASSWORD
\getenv reporting_password SAVINGS_REPORTING_PASSWORD
\getenv access_password SAVINGS_ACCESS_PASSWORD

SELECT format('CREATE DATABASE %I', :'database')
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'database') \gexec
\connect :"database"

SELECT format('CREATE ROLE %I', 'savings_' || service)
FROM unnest(ARRAY['intake', 'tracker', 'reporting', 'access']) AS service
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'savings_' || service) \gexec

ALTER ROLE savings_intake LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'intake_password';
ALTER ROLE savings_tracker LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'tracker_password';
ALTER ROLE savings_reporting LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'reporting_password';
ALTER ROLE savings_access LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT PASSWORD :'access_password';

-- Nobody but these roles comes in; temporary tables are for loading batches.
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
GRANT CONNECT, TEMPORARY ON DATABASE :"database"
    TO savings_intake, savings_tracker, savings_reporting, savings_access;
REVOKE ALL ON SCHEMA public FROM PUBLIC;

CREATE SCHEMA IF NOT EXISTS intake AUTHORIZATION savings_intake;
CREATE SCHEMA IF NOT EXISTS tracker AUTHORIZATION savings_tracker;
CREATE SCHEMA IF NOT EXISTS reporting AUTHORIZATION savings_reporting;
CREATE SCHEMA IF NOT EXISTS access AUTHORIZATION savings_access;
-- A rebuild replays the topics into these, beside what serves, and compares.
CREATE SCHEMA IF NOT EXISTS tracker_rebuild AUTHORIZATION savings_tracker;
CREATE SCHEMA IF NOT EXISTS reporting_rebuild AUTHORIZATION savings_reporting;
-- Where a rebuild has been put in place, what was live before it is kept in these.
CREATE SCHEMA IF NOT EXISTS tracker_before AUTHORIZATION savings_tracker;
CREATE SCHEMA IF NOT EXISTS reporting_before AUTHORIZATION savings_reporting;

-- API keys: every service checks them, only the access role writes them. Default privileges cover tables yet to come.
GRANT USAGE ON SCHEMA access TO savings_intake, savings_tracker, savings_reporting;
GRANT SELECT ON ALL TABLES IN SCHEMA access TO savings_intake, savings_tracker, savings_reporting;
ALTER DEFAULT PRIVILEGES FOR ROLE savings_access IN SCHEMA access
    GRANT SELECT ON TABLES TO savings_intake, savings_tracker, savings_reporting;

-- A service finds its own tables without naming a schema, and nobody else's by accident; nothing waits for ever.
SELECT format('ALTER ROLE savings_%s IN DATABASE %I SET %s', service, :'database', setting)
FROM unnest(ARRAY['intake', 'tracker', 'reporting', 'access']) AS service,
    LATERAL unnest(ARRAY[
        format('search_path = %I', service),
        $$lock_timeout = '5s'$$,
        $$statement_timeout = '30s'$$,
        $$idle_in_transaction_session_timeout = '60s'$$,
        $$timezone = 'UTC'$$
    ]) AS setting \gexec
