// The table of commands: read from top to bottom it is the manual.
#include "services/cli/command.h"

namespace hone::cli {

const std::vector<Command>& commands() {
  static const std::vector<Command> table = {
      // On the machine of the installation, by its database
      {"migrate", "", "Bring the database to this version's form", {}, act_migrate},
      {"setup-link", "[--if-needed] [--team SLUG]", "A one-time link that makes an administrator",
       {.options = {"team"}, .switches = {"if-needed"}}, act_setup_link},
      {"users list", "[--team SLUG]", "The people of a team", {.options = {"team"}}, act_users_list},
      {"users reset", "EMAIL", "A one-time link to set a new password",
       {.positional_min = 1, .positional_max = 1}, act_users_reset},
      {"users deactivate", "EMAIL [--team SLUG]", "End a person's access; their judgments stay",
       {.options = {"team"}, .positional_min = 1, .positional_max = 1}, act_users_deactivate},
      {"teams list", "", "The teams of the installation", {}, act_teams_list},
      {"teams create", "SLUG [--name NAME]", "Make a team",
       {.options = {"name"}, .positional_min = 1, .positional_max = 1}, act_teams_create},
      {"tokens create", "--name NAME [--role engineer] [--team SLUG] [--days 90]", "Make an API token and print it, once",
       {.options = {"name", "role", "team", "days"}}, act_tokens_create},
      {"bases add", "NAME PATH", "Register an open-weight model: a GGUF file or a Hugging Face directory",
       {.positional_min = 2, .positional_max = 2}, act_bases_add},
      {"bases list", "", "The registered models", {}, act_bases_list},

      // Over HTTP: HONE_URL and HONE_TOKEN
      {"projects create", "NAME [--slug SLUG] [--guideline TEXT|@FILE]", "Make a project",
       {.options = {"slug", "guideline"}, .positional_min = 1, .positional_max = 1}, act_projects_create},
      {"projects list", "", "The team's projects and how far they are", {}, act_projects_list},
      {"projects import", "PROJECT FILE [--format auto|prompts|trl|hh] [--split auto|train|held_out] [--dry-run] [--keep-good]",
       "Add prompts or preference pairs from JSON lines",
       {.options = {"format", "split"}, .switches = {"dry-run", "keep-good"}, .positional_min = 2, .positional_max = 2}, act_projects_import},
      {"sample", "PROJECT --base NAME [--responses 2] [--max-tokens 256] [--temperature 1] [--top-p 1] [--seed N] [--split train] [--follow]",
       "Draw responses for a project's prompts",
       {.options = {"base", "responses", "max-tokens", "temperature", "top-p", "seed", "split"}, .switches = {"follow"}, .positional_min = 1, .positional_max = 1}, act_sample},
      {"critic add", "PROJECT NAME SPEC.json", "Keep a rule critic; the same rules again give the same version",
       {.positional_min = 3, .positional_max = 3}, act_critic_add},
      {"critic list", "PROJECT", "A project's critics", {.positional_min = 1, .positional_max = 1}, act_critic_list},
      {"judge", "PROJECT --critic NAME|ID [--follow]", "Have a critic judge every comparison it has not judged",
       {.options = {"critic"}, .switches = {"follow"}, .positional_min = 1, .positional_max = 1}, act_judge},
      {"snapshot", "PROJECT [--name NAME] [--kinds person,rule,import]", "Freeze a project's judgments",
       {.options = {"name", "kinds"}, .positional_min = 1, .positional_max = 1}, act_snapshot},
      {"snapshots list", "PROJECT", "A project's snapshots", {.positional_min = 1, .positional_max = 1}, act_snapshots_list},
      {"run start", "[SPEC.json] [--project P] [--method M] [--base B] [--snapshot latest] [--model M] [--adapter none|lora] [--seed N] [--set NAME=VALUE]... [--critic NAME|ID] [--follow]",
       "Start a training run",
       {.options = {"project", "base", "snapshot", "model", "adapter", "seed", "critic", "method"}, .repeated = {"set"}, .switches = {"follow"}, .positional_max = 1}, act_run_start},
      {"run follow", "RUN", "Watch a run until it ends", {.positional_min = 1, .positional_max = 1}, act_run_follow},
      {"run show", "RUN", "One run, as JSON", {.positional_min = 1, .positional_max = 1}, act_run_show},
      {"run cancel", "RUN", "Ask a run to end", {.positional_min = 1, .positional_max = 1}, act_run_cancel},
      {"run list", "[PROJECT]", "Runs, newest first", {.positional_max = 1}, act_run_list},
      {"job follow", "JOB", "Watch a sample or judge job until it ends", {.positional_min = 1, .positional_max = 1}, act_job_follow},
      {"job cancel", "JOB", "Ask a job to end", {.positional_min = 1, .positional_max = 1}, act_job_cancel},
      {"job list", "[PROJECT]", "Jobs, newest first", {.positional_max = 1}, act_job_list},
      {"models list", "", "Published models", {}, act_models_list},
      {"models show", "NAME [VERSION]", "One version, as JSON; the latest when none is named",
       {.positional_min = 1, .positional_max = 2}, act_models_show},
      {"models download", "NAME [VERSION] [--folder hf|adapter|hone] [--to DIR]", "Fetch a version's files, checked against their hashes",
       {.options = {"folder", "to"}, .positional_min = 1, .positional_max = 2}, act_models_download},
  };
  return table;
}

}  // namespace hone::cli
