-- 0002: teams, people, and every way in. Small tables: thousands of rows.
-- Also the helpers that every later file uses: protect_by_team, make_immutable, new_uuid, rfc3339.

-- A function is executable by nobody until it says by whom.
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

-- The team of this transaction. '' is what a transaction-local setting leaves behind on a pooled
-- connection, so '' is no team either.
CREATE FUNCTION current_team() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT nullif(current_setting('app.team', true), '')::uuid $$;

-- UUIDv7: 48 bits of milliseconds, then random bits. (uuid 4 of the kernel with the time laid over
-- its head; bits 52 and 53 turn version 4 into 7.)
CREATE FUNCTION new_uuid() RETURNS uuid LANGUAGE sql VOLATILE AS $$
  SELECT encode(set_bit(set_bit(overlay(uuid_send(gen_random_uuid())
           PLACING substring(int8send((extract(epoch FROM clock_timestamp()) * 1000)::bigint) FROM 3)
           FROM 1 FOR 6), 52, 1), 53, 1), 'hex')::uuid
$$;

-- Times leave as RFC 3339 text in UTC.
CREATE FUNCTION rfc3339(t timestamptz) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE AS
$$ SELECT to_char(t AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;

GRANT EXECUTE ON FUNCTION current_team(), new_uuid(), rfc3339(timestamptz) TO hone_app;

-- Row-level security for a tenant table, forced, so that it holds for the owner as well; the
-- owner's own policy is what the SECURITY DEFINER functions of later files stand on.
CREATE PROCEDURE protect_by_team(t regclass, grants text DEFAULT 'SELECT, INSERT')
LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', t);
  EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', t);
  EXECUTE format('CREATE POLICY by_team ON %s USING (team_id = nullif(current_setting(''app.team'', true), '''')::uuid)
                  WITH CHECK (team_id = nullif(current_setting(''app.team'', true), '''')::uuid)', t);
  EXECUTE format('CREATE POLICY all_for_owner ON %s TO hone_owner USING (true) WITH CHECK (true)', t);
  EXECUTE format('GRANT %s ON %s TO hone_app', grants, t);
END $$;

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'HN409';
END $$;

-- Rows are inserted and never changed: no grant (see above) and, for whoever has one, a trigger.
CREATE PROCEDURE make_immutable(t regclass) LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER immutable BEFORE UPDATE OR DELETE ON %s
                  FOR EACH ROW EXECUTE FUNCTION refuse_change()', t);
  EXECUTE format('CREATE TRIGGER immutable_whole BEFORE TRUNCATE ON %s
                  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()', t);
END $$;
REVOKE ALL ON PROCEDURE protect_by_team(regclass, text), make_immutable(regclass) FROM PUBLIC;

CREATE TABLE teams (
  team_id    uuid        PRIMARY KEY,  -- its own id, under the name that row-level security reads
  slug       text        NOT NULL CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
  name       text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL DEFAULT now(),
  -- Of the instance, not of a team: only an instance administrator makes teams.
  CONSTRAINT teams_one_slug UNIQUE (slug)
);
CALL protect_by_team('teams', 'SELECT, INSERT, UPDATE');

-- People belong to the instance; what they may do, and where, is a membership. Never deleted:
-- judgments point at them.
CREATE TABLE users (
  id             uuid        PRIMARY KEY DEFAULT new_uuid(),
  email          text        NOT NULL CHECK (length(email) BETWEEN 3 AND 254),
  name           text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  password_hash  text        NOT NULL,
  instance_admin boolean     NOT NULL DEFAULT false,
  active         boolean     NOT NULL DEFAULT true,
  last_seen_at   timestamptz,
  created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX users_one_email ON users (lower(email));
GRANT SELECT, INSERT, UPDATE ON users TO hone_app;

CREATE TABLE memberships (
  team_id    uuid        NOT NULL DEFAULT current_team() REFERENCES teams,
  user_id    uuid        NOT NULL REFERENCES users,
  role       text        NOT NULL CHECK (role IN ('annotator', 'reviewer', 'engineer', 'admin')),
  active     boolean     NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, user_id)
);
CREATE INDEX memberships_by_user ON memberships (user_id);
CALL protect_by_team('memberships', 'SELECT, INSERT, UPDATE');

-- Logins. Only the SHA-256 of the cookie is here.
CREATE TABLE sessions (
  token_sha256 text        PRIMARY KEY CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
  user_id      uuid        NOT NULL REFERENCES users,
  idle         interval    NOT NULL,
  created_at   timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions TO hone_app;

CREATE TABLE password_resets (
  token_sha256 text        PRIMARY KEY CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
  user_id      uuid        NOT NULL REFERENCES users,
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  used_at      timestamptz
);
CREATE INDEX password_resets_by_user ON password_resets (user_id);
GRANT SELECT, INSERT, UPDATE ON password_resets TO hone_app;

-- Kept for an hour by whoever writes the next one.
CREATE TABLE login_failures (
  email   text        NOT NULL,
  address text        NOT NULL,
  at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX login_failures_by_email ON login_failures (email, at);
CREATE INDEX login_failures_by_time ON login_failures (at);
GRANT SELECT, INSERT, DELETE ON login_failures TO hone_app;

CREATE TABLE invitations (
  team_id        uuid        NOT NULL DEFAULT current_team() REFERENCES teams,
  id             uuid        NOT NULL DEFAULT new_uuid(),
  token_sha256   text        NOT NULL CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
  email          text,
  role           text        NOT NULL CHECK (role IN ('annotator', 'reviewer', 'engineer', 'admin')),
  instance_admin boolean     NOT NULL DEFAULT false,
  created_by     uuid        REFERENCES users,
  created_at     timestamptz NOT NULL DEFAULT now(),
  expires_at     timestamptz NOT NULL,
  used_at        timestamptz,
  used_by        uuid        REFERENCES users,
  revoked_at     timestamptz,
  PRIMARY KEY (team_id, id)
);
-- By the token alone, since the team is what it tells. 256 random bits never collide, so the key
-- speaks of nobody's data.
CREATE UNIQUE INDEX invitations_by_token ON invitations (token_sha256);
CALL protect_by_team('invitations', 'SELECT, INSERT, UPDATE');

CREATE TABLE api_tokens (
  team_id      uuid        NOT NULL DEFAULT current_team() REFERENCES teams,
  id           uuid        NOT NULL DEFAULT new_uuid(),
  name         text        NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  role         text        NOT NULL CHECK (role IN ('annotator', 'reviewer', 'engineer', 'admin')),
  token_sha256 text        NOT NULL CHECK (token_sha256 ~ '^[0-9a-f]{64}$'),
  hint         text        NOT NULL,
  created_by   uuid        NOT NULL REFERENCES users,
  created_at   timestamptz NOT NULL DEFAULT now(),
  expires_at   timestamptz NOT NULL,
  last_used_at timestamptz,
  revoked_at   timestamptz,
  PRIMARY KEY (team_id, id)
);
CREATE UNIQUE INDEX api_tokens_by_token ON api_tokens (token_sha256);
CALL protect_by_team('api_tokens', 'SELECT, INSERT, UPDATE');

-- What was done by whom. team_id is NULL for acts on the instance (a login).
CREATE TABLE audit (
  id          bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  team_id     uuid        DEFAULT current_team() REFERENCES teams,
  at          timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor_id    uuid        REFERENCES users,
  actor_kind  text        NOT NULL,
  action      text        NOT NULL,
  object_kind text        NOT NULL DEFAULT '',
  object_id   text        NOT NULL DEFAULT '',
  detail      jsonb,
  address     text        NOT NULL DEFAULT '',
  request_id  text        NOT NULL DEFAULT ''
);
CREATE INDEX audit_by_team ON audit (team_id, id DESC);
CALL protect_by_team('audit');
-- The general policy would refuse the instance's rows; nobody but the owner reads them back.
CREATE POLICY instance_rows ON audit FOR INSERT TO hone_app WITH CHECK (team_id IS NULL);
CALL make_immutable('audit');

-- Replies kept for a resend under the same Idempotency-Key, 24 hours.
CREATE TABLE idempotency (
  team_id     uuid        NOT NULL DEFAULT current_team() REFERENCES teams,
  actor       text        NOT NULL,
  route       text        NOT NULL,
  key         text        NOT NULL CHECK (length(key) BETWEEN 1 AND 200),
  body_sha256 text        NOT NULL CHECK (body_sha256 ~ '^[0-9a-f]{64}$'),
  status      integer     NOT NULL,
  body        text        NOT NULL,
  created_at  timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, actor, route, key)
);
CREATE INDEX idempotency_by_time ON idempotency (created_at);
CALL protect_by_team('idempotency', 'SELECT, INSERT, DELETE');

-- What must be found before the team is known. Each answers about one secret or one person.
CREATE FUNCTION find_invitation(p_token_sha256 text) RETURNS SETOF invitations
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT * FROM invitations
   WHERE token_sha256 = p_token_sha256 AND used_at IS NULL AND revoked_at IS NULL
     AND expires_at > clock_timestamp()
$$;

CREATE FUNCTION teams_of_user(p_user uuid)
RETURNS TABLE (team_id uuid, slug text, name text, role text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT t.team_id, t.slug, t.name, m.role
    FROM memberships m JOIN teams t USING (team_id)
   WHERE m.user_id = p_user AND m.active
   ORDER BY m.created_at, t.team_id
$$;

CREATE FUNCTION all_teams() RETURNS TABLE (team_id uuid, slug text, name text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$ SELECT t.team_id, t.slug, t.name FROM teams t ORDER BY t.created_at, t.team_id $$;

-- Also notes the use, at most once a minute.
CREATE FUNCTION find_api_token(p_token_sha256 text)
RETURNS TABLE (token_id uuid, token_role text, team_id uuid, slug text, team_name text,
               member_role text, user_id uuid, email text, name text, instance_admin boolean)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE api_tokens k SET last_used_at = clock_timestamp()
   WHERE k.token_sha256 = p_token_sha256
     AND (k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute');
  RETURN QUERY
    SELECT k.id, k.role, t.team_id, t.slug, t.name, m.role, u.id, u.email, u.name, u.instance_admin
      FROM api_tokens k
      JOIN teams t ON t.team_id = k.team_id
      JOIN memberships m ON m.team_id = k.team_id AND m.user_id = k.created_by AND m.active
      JOIN users u ON u.id = k.created_by AND u.active
     WHERE k.token_sha256 = p_token_sha256 AND k.revoked_at IS NULL
       AND k.expires_at > clock_timestamp();
END $$;

GRANT EXECUTE ON FUNCTION find_invitation(text), teams_of_user(uuid), all_teams(),
                          find_api_token(text) TO hone_app;
