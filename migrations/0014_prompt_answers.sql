-- 0014: the answers that verifiers compare with (a reward of type exact_answer). Beside the prompts, not in
-- them: what judges are shown is read from prompts and never meets an answer, and a prompt that is there
-- already, and immutable, may get its answer by a later import. A correction is the next seq; a snapshot
-- keeps what it read. Size: at most as many rows as prompts, and the corrections. Locks prompts and imports
-- for a moment, for the foreign keys and the column.
CREATE TABLE prompt_answers (
  team_id    uuid        NOT NULL DEFAULT current_team(),
  prompt_id  uuid        NOT NULL,
  seq        integer     NOT NULL CHECK (seq > 0),
  answer     text        NOT NULL CHECK (octet_length(answer) BETWEEN 1 AND 16384),
  import_id  uuid        NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (team_id, prompt_id, seq),
  FOREIGN KEY (team_id, prompt_id) REFERENCES prompts (team_id, id),
  FOREIGN KEY (team_id, import_id) REFERENCES imports (team_id, id)
);
CALL protect_by_team('prompt_answers');
CALL make_immutable('prompt_answers');

ALTER TABLE imports ADD COLUMN answers bigint;

-- The prompts that a batch of an import gives an answer (storage/repo/prompts.h says what a row is), each once,
-- with the answer it has so far. Torn: the batch gives it several. No id: the prompt is not there yet.
CREATE FUNCTION given_answers(p_project uuid, p_rows jsonb)
RETURNS TABLE (prompt_id uuid, words text, answer text, torn boolean, seq integer, before text, import_id uuid)
LANGUAGE sql STABLE AS $$
  SELECT p.id, g.words, g.answer, g.torn, h.seq, h.answer, h.import_id
    FROM (SELECT messages_sha256(e.r->'prompt') AS sha, min(e.r->'prompt'->-1->>'content') AS words,
                 min(e.r->>'answer') AS answer, count(DISTINCT e.r->>'answer') > 1 AS torn
            FROM jsonb_array_elements(p_rows) AS e (r) WHERE e.r->>'answer' IS NOT NULL GROUP BY 1) g
    LEFT JOIN prompts p ON p.team_id = current_team() AND p.project_id = p_project AND p.content_sha256 = g.sha
    LEFT JOIN LATERAL (SELECT a.seq, a.answer, a.import_id FROM prompt_answers a
                        WHERE a.team_id = p.team_id AND a.prompt_id = p.id ORDER BY a.seq DESC LIMIT 1) h ON true
$$;
GRANT EXECUTE ON FUNCTION given_answers(uuid, jsonb) TO hone_app;
