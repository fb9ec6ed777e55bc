-- 0006: runs, and what they publish. A version is immutable and never deleted.

CREATE TABLE models (
  team_id    uuid        NOT NULL DEFAULT current_team() REFERENCES teams,
  id         uuid        NOT NULL DEFAULT new_uuid(),
  name       text        NOT NULL CHECK (name ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$'),
  task       text        NOT NULL DEFAULT 'policy' CHECK (task IN ('policy', 'reward', 'adapter')),
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, id),
  CONSTRAINT models_one_name UNIQUE (team_id, name)
);
CALL protect_by_team('models');

CREATE TABLE runs (
  team_id         uuid   NOT NULL DEFAULT current_team(),
  job_id          uuid   NOT NULL,
  project_id      uuid   NOT NULL,
  model_id        uuid   NOT NULL,
  method          text   NOT NULL,
  base_id         uuid   NOT NULL REFERENCES bases,
  snapshot_id     uuid   NOT NULL,
  adapter         jsonb  NOT NULL,
  hyperparameters jsonb  NOT NULL,
  evaluation      jsonb  NOT NULL,
  seed            bigint NOT NULL,
  PRIMARY KEY (team_id, job_id),
  FOREIGN KEY (team_id, job_id) REFERENCES jobs (team_id, id),
  FOREIGN KEY (team_id, project_id) REFERENCES projects (team_id, id),
  FOREIGN KEY (team_id, model_id) REFERENCES models (team_id, id),
  FOREIGN KEY (team_id, snapshot_id) REFERENCES snapshots (team_id, id)
);
CALL protect_by_team('runs');
CALL make_immutable('runs');

CREATE TABLE versions (
  team_id         uuid        NOT NULL,
  id              uuid        NOT NULL DEFAULT new_uuid(),
  model_id        uuid        NOT NULL,
  number          integer     NOT NULL CHECK (number > 0),
  state           text        NOT NULL DEFAULT 'published' CHECK (state = 'published'),
  job_id          uuid        NOT NULL,
  epoch           bigint      NOT NULL,
  base_id         uuid        NOT NULL REFERENCES bases,
  snapshot_id     uuid        NOT NULL,
  spec            jsonb       NOT NULL,
  code_revision   text        NOT NULL,
  manifest_sha256 text        NOT NULL CHECK (manifest_sha256 ~ '^[0-9a-f]{64}$'),
  metrics         jsonb       NOT NULL,
  evaluation      jsonb       NOT NULL,
  created_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
  PRIMARY KEY (team_id, id),
  FOREIGN KEY (team_id, model_id) REFERENCES models (team_id, id),
  FOREIGN KEY (team_id, job_id) REFERENCES runs (team_id, job_id),
  FOREIGN KEY (team_id, snapshot_id) REFERENCES snapshots (team_id, id),
  CONSTRAINT versions_one_number UNIQUE (team_id, model_id, number),
  CONSTRAINT versions_one_per_run UNIQUE (team_id, job_id)
);
CALL protect_by_team('versions', 'SELECT');
CALL make_immutable('versions');

CREATE TABLE version_files (
  team_id    uuid   NOT NULL,
  version_id uuid   NOT NULL,
  path       text   NOT NULL CHECK (path ~ '^[A-Za-z0-9_][A-Za-z0-9._-]*(/[A-Za-z0-9_][A-Za-z0-9._-]*)*$'),
  sha256     text   NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
  bytes      bigint NOT NULL CHECK (bytes >= 0),
  PRIMARY KEY (team_id, version_id, path),
  FOREIGN KEY (team_id, version_id) REFERENCES versions (team_id, id)
);
CALL protect_by_team('version_files', 'SELECT');
CALL make_immutable('version_files');
