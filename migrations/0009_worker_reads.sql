-- 0009: two more things that a worker may read: the attempts of the job it holds, for the manifest of
-- what it publishes, and which of the jobs whose folders lie on its disk are over, so that it can sweep
-- them. Both read a few rows by key.

-- A resumed attempt began at the step of its `resumed` event, any other at 0.
CREATE FUNCTION job_attempts_of(p_job uuid, p_epoch bigint, p_token text)
RETURNS TABLE (epoch bigint, worker text, started_at text, ended_at text, outcome text,
               first_step bigint, last_step bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  v_job jobs := held_lease(p_job, p_epoch, p_token);
BEGIN
  RETURN QUERY
    SELECT a.epoch, a.worker, rfc3339(a.started_at), rfc3339(a.ended_at), a.outcome,
           coalesce((SELECT (e.data->>'step')::bigint FROM job_events e
                      WHERE e.team_id = a.team_id AND e.job_id = a.job_id AND e.type = 'resumed'
                        AND (e.data->>'attempt')::bigint = a.epoch ORDER BY e.seq LIMIT 1), 0),
           CASE WHEN a.epoch = v_job.lease_epoch THEN v_job.last_step ELSE a.last_step END
      FROM job_attempts a
     WHERE a.team_id = v_job.team_id AND a.job_id = p_job
     ORDER BY a.epoch;
END $$;

-- Ids are all that it tells, and whoever asks has them already.
CREATE FUNCTION ended_jobs(p_jobs uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT id FROM jobs WHERE id = ANY (p_jobs) AND state IN ('succeeded', 'failed', 'cancelled')
$$;

GRANT EXECUTE ON FUNCTION job_attempts_of(uuid, bigint, text), ended_jobs(uuid[]) TO hone_worker;
