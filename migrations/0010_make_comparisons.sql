-- 0010: make_comparisons in time that grows with its pairs, not with their square. Joined to itself inside one
-- statement, a batch is planned as one row; each step now reads what the step before stored, by primary key.
-- Locks no table in use.
CREATE OR REPLACE FUNCTION make_comparisons(p_team uuid, p_project uuid, p_prompts uuid[], p_first uuid[],
                                            p_second uuid[], p_ask boolean[])
RETURNS TABLE (comparison_id uuid, asked boolean) LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  v_ids     uuid[];
  v_prompts uuid[];
  v_slot0   uuid[];
  v_slot1   uuid[];
  v_shas    text[];
  v_asks    boolean[];
BEGIN
  SELECT array_agg(d.id), array_agg(d.prompt), array_agg(d.slot0), array_agg(d.slot1), array_agg(d.sha),
         array_agg(d.ask)
    INTO v_ids, v_prompts, v_slot0, v_slot1, v_shas, v_asks
    FROM (
      SELECT DISTINCT ON (s.sha) new_uuid() AS id, u.prompt, u.ask, s.sha,
             CASE WHEN a.content_sha256 < b.content_sha256 THEN a.id ELSE b.id END AS slot0,
             CASE WHEN a.content_sha256 < b.content_sha256 THEN b.id ELSE a.id END AS slot1
        FROM unnest(p_prompts, p_first, p_second, p_ask) WITH ORDINALITY AS u (prompt, r0, r1, ask, n)
        JOIN prompts p ON p.team_id = p_team AND p.id = u.prompt AND p.project_id = p_project
        JOIN responses a ON a.team_id = p_team AND a.id = u.r0 AND a.prompt_id = u.prompt
        JOIN responses b ON b.team_id = p_team AND b.id = u.r1 AND b.prompt_id = u.prompt,
        LATERAL (SELECT encode(sha256(convert_to(p.content_sha256 || ':' ||
                   least(a.content_sha256, b.content_sha256) || ':' ||
                   greatest(a.content_sha256, b.content_sha256), 'UTF8')), 'hex') AS sha) s
       WHERE a.content_sha256 <> b.content_sha256
       ORDER BY s.sha, u.n) d;
  IF v_ids IS NULL THEN
    RETURN;
  END IF;

  INSERT INTO comparisons (team_id, id, project_id, lineage_id, prompt_id, question_set_id, content_sha256)
  SELECT p_team, u.id, p_project, u.id, u.prompt,
         (SELECT q.id FROM question_sets q WHERE q.team_id = p_team AND q.project_id = p_project
           ORDER BY q.version DESC LIMIT 1),
         u.sha
    FROM unnest(v_ids, v_prompts, v_shas) AS u (id, prompt, sha)
  ON CONFLICT ON CONSTRAINT comparisons_one_content DO NOTHING;

  -- An id that is there now was made now: it is fresh and random.
  INSERT INTO comparison_responses (team_id, comparison_id, slot, response_id, prompt_id)
  SELECT p_team, c.id, v.slot, v.response, c.prompt_id
    FROM unnest(v_ids, v_slot0, v_slot1) AS u (id, slot0, slot1)
    JOIN comparisons c ON c.team_id = p_team AND c.id = u.id,
    LATERAL (VALUES (0::smallint, u.slot0), (1::smallint, u.slot1)) AS v (slot, response);

  INSERT INTO work_items (team_id, comparison_id, project_id, target, open_slots, sort_key)
  SELECT p_team, c.id, p_project, pr.overlap, pr.overlap,
         hashtextextended(c.id::text, hashtextextended(p_project::text, 0))
    FROM unnest(v_ids, v_asks) AS u (id, ask)
    JOIN comparisons c ON c.team_id = p_team AND c.id = u.id
    JOIN projects pr ON pr.team_id = p_team AND pr.id = p_project
   WHERE u.ask;

  RETURN QUERY
    SELECT c.id, u.ask FROM unnest(v_ids, v_asks) AS u (id, ask)
      JOIN comparisons c ON c.team_id = p_team AND c.id = u.id;
END $$;
