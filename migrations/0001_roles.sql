-- 0001: the three roles, and what they start with.
--   hone_owner   owns every table and function; migrations run as it
--   hone_app     serves; sees the rows of one team at a time (row-level security)
--   hone_worker  may execute the job functions and touches no table
-- Runs as the login that migrates, every later file as hone_owner. Roles belong to the whole
-- cluster, so another database may be making them at this moment.
DO $$
DECLARE
  role_name text;
  me text := current_user;
BEGIN
  FOREACH role_name IN ARRAY ARRAY['hone_owner', 'hone_app', 'hone_worker'] LOOP
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = role_name) THEN
      BEGIN
        EXECUTE format('CREATE ROLE %I NOLOGIN NOINHERIT', role_name);
      EXCEPTION
        WHEN duplicate_object OR unique_violation THEN NULL;  -- the other database was faster
        WHEN insufficient_privilege THEN
          RAISE EXCEPTION 'the role % is missing and % may not create it', role_name, me
            USING HINT = 'let an administrator run: CREATE ROLE ' || role_name || ' LOGIN';
      END;
    END IF;
    -- A login that serves as all three needs membership to SET ROLE; a superuser needs none.
    IF NOT pg_has_role(me, role_name, 'MEMBER') THEN
      EXECUTE format('GRANT %I TO %I', role_name, me);
    END IF;
  END LOOP;
END $$;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO hone_app, hone_worker;
GRANT USAGE, CREATE ON SCHEMA public TO hone_owner;
