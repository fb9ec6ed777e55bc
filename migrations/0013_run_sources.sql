-- 0013: what a run learns from beside its rows. Three more things that a worker may read of the job that it
-- holds: the critics of its reward, the published versions that its spec names (reward models, a teacher),
-- and the base of its teacher. Each reads a few rows by key; nothing is rewritten, nothing locked.

-- The parts of "reward" and "gold".
CREATE FUNCTION reward_parts(p_spec jsonb) RETURNS SETOF jsonb LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog AS $$
  SELECT part FROM unnest(ARRAY['reward', 'gold']) AS k (name),
         LATERAL jsonb_array_elements(CASE jsonb_typeof(p_spec->k.name) WHEN 'array' THEN p_spec->k.name
                                      ELSE '[]'::jsonb END) AS e (part)
$$;

CREATE FUNCTION job_critics(p_job uuid, p_epoch bigint, p_token text)
RETURNS TABLE (critic_id uuid, name text, version integer, spec jsonb, spec_sha256 text)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job jobs := held_lease(p_job, p_epoch, p_token);
BEGIN
  RETURN QUERY
    SELECT cv.id, c.name, cv.version, cv.spec, cv.spec_sha256
      FROM critic_versions cv
      JOIN critics c ON c.team_id = cv.team_id AND c.id = cv.critic_id
     WHERE cv.team_id = v_job.team_id AND c.project_id = v_job.project_id
       AND cv.id IN (SELECT (r.part->>'critic')::uuid FROM reward_parts(v_job.spec) AS r (part))
     ORDER BY cv.id;
END $$;

-- One row a file.
CREATE FUNCTION job_versions(p_job uuid, p_epoch bigint, p_token text)
RETURNS TABLE (version_id uuid, model text, task text, number integer, manifest_sha256 text,
               path text, sha256 text, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job jobs := held_lease(p_job, p_epoch, p_token);
BEGIN
  RETURN QUERY
    SELECT v.id, m.name, m.task, v.number, v.manifest_sha256, f.path, f.sha256, f.bytes
      FROM versions v
      JOIN models m ON m.team_id = v.team_id AND m.id = v.model_id
      JOIN version_files f ON f.team_id = v.team_id AND f.version_id = v.id
     WHERE v.team_id = v_job.team_id AND v.state = 'published'
       AND v.id IN (SELECT (r.part->>'model')::uuid FROM reward_parts(v_job.spec) AS r (part)
                    UNION SELECT (v_job.spec->'teacher'->>'model')::uuid)
     ORDER BY v.id, f.path;
END $$;

CREATE FUNCTION job_teacher(p_job uuid, p_epoch bigint, p_token text)
RETURNS TABLE (base_id uuid, name text, description text, architecture text, format text, sha256 text, bytes bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  v_job jobs := held_lease(p_job, p_epoch, p_token);
BEGIN
  RETURN QUERY
    SELECT b.id, b.name, b.description, b.architecture, b.format, b.sha256, b.bytes
      FROM bases b WHERE b.id = (v_job.spec->'teacher'->>'base')::uuid;
END $$;

GRANT EXECUTE ON FUNCTION job_critics(uuid, bigint, text), job_versions(uuid, bigint, text),
                          job_teacher(uuid, bigint, text) TO hone_worker;
