-- 0009: the two reads of the label path, planned once a connection instead of at each call. One join of
-- eleven tables took longer to plan than to run; these are small statements whose plans are kept.
-- enable_seqscan is off in them because a plan made while the tables were nearly empty would else go on
-- reading a whole queue until statistics arrive. Locks no table in use.

-- The next item of one lane that this judge may have and nobody else is touching, locked.
CREATE OR REPLACE FUNCTION pick_item(p_team uuid, p_project uuid, p_judge uuid, p_lane smallint, p_after bigint,
                                     OUT comparison_id uuid, OUT sort_key bigint) LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
  SELECT w.comparison_id, w.sort_key INTO comparison_id, sort_key FROM work_items w
   WHERE w.team_id = p_team AND w.project_id = p_project AND w.lane = p_lane AND w.sort_key > p_after
     AND w.open_slots > 0 AND w.state = 'open'
     AND NOT EXISTS (SELECT FROM assignments a
                      WHERE a.team_id = p_team AND a.comparison_id = w.comparison_id
                        AND a.judge_id = p_judge AND a.state IN ('leased', 'done', 'skipped'))
   ORDER BY w.sort_key LIMIT 1 FOR UPDATE OF w SKIP LOCKED;
END $$;

-- Assignments of a judge as they are shown now: the impression of the present lease. An answer comes
-- along when the head of the judge's history is an undo: then the one before it is what was taken back.
CREATE FUNCTION shown_items(p_judge uuid, p_assignments uuid[])
RETURNS TABLE (assignment uuid, impression uuid, lease_until text, prompt jsonb, left_messages jsonb,
               right_messages jsonb, verdict text, pressed smallint, skip_reason text)
LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
  v_team  uuid := current_team();
  v_own   assignments%ROWTYPE;
  v_shown impressions%ROWTYPE;
  v_head  record;
BEGIN
  FOREACH assignment IN ARRAY p_assignments LOOP
    SELECT * INTO v_own FROM assignments WHERE team_id = v_team AND id = assignment AND judge_id = p_judge;
    CONTINUE WHEN NOT FOUND;
    SELECT * INTO v_shown FROM impressions
     WHERE team_id = v_team AND assignment_id = v_own.id AND lease_no = v_own.lease_no;
    impression := v_shown.id;
    lease_until := rfc3339(v_own.lease_until);
    SELECT p.messages INTO prompt FROM comparisons c JOIN prompts p ON p.team_id = v_team AND p.id = c.prompt_id
     WHERE c.team_id = v_team AND c.id = v_own.comparison_id;
    SELECT r.messages INTO left_messages
      FROM comparison_responses s JOIN responses r ON r.team_id = v_team AND r.id = s.response_id
     WHERE s.team_id = v_team AND s.comparison_id = v_own.comparison_id AND s.slot = v_shown.side_order[1];
    SELECT r.messages INTO right_messages
      FROM comparison_responses s JOIN responses r ON r.team_id = v_team AND r.id = s.response_id
     WHERE s.team_id = v_team AND s.comparison_id = v_own.comparison_id AND s.slot = v_shown.side_order[2];

    verdict := NULL;
    pressed := NULL;
    skip_reason := NULL;
    SELECT j.seq, j.verdict INTO v_head FROM judgments j
     WHERE j.team_id = v_team AND j.comparison_id = v_own.comparison_id AND j.judge_id = p_judge
     ORDER BY j.seq DESC LIMIT 1;
    IF v_head.verdict = 'retracted' THEN
      SELECT j.verdict, j.pressed, j.skip_reason INTO verdict, pressed, skip_reason FROM judgments j
       WHERE j.team_id = v_team AND j.comparison_id = v_own.comparison_id AND j.judge_id = p_judge
         AND j.seq = v_head.seq - 1;
    END IF;
    RETURN NEXT;
  END LOOP;
END $$;
GRANT EXECUTE ON FUNCTION shown_items(uuid, uuid[]) TO hone_app;
