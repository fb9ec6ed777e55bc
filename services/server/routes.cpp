// The whole route table. Read from top to bottom it is the API.
#include "services/server/routes.h"

#include "services/server/handlers/critics.h"
#include "services/server/handlers/health.h"
#include "services/server/handlers/imports.h"
#include "services/server/handlers/invitations.h"
#include "services/server/handlers/jobs.h"
#include "services/server/handlers/labelling.h"
#include "services/server/handlers/methods.h"
#include "services/server/handlers/models.h"
#include "services/server/handlers/openapi.h"
#include "services/server/handlers/projects.h"
#include "services/server/handlers/runs.h"
#include "services/server/handlers/session.h"
#include "services/server/handlers/snapshots.h"
#include "services/server/handlers/tokens.h"
#include "services/server/handlers/users.h"

namespace hone::server {

using httpd::kAdmin;
using httpd::kAnnotator;
using httpd::kEngineer;
using httpd::kPublic;
using httpd::kReviewer;
using httpd::kSignedIn;
using enum httpd::Method;

const std::vector<Route>& routes() {
  static const std::vector<Route> table = {
      // The server itself
      {Get, "/api/v1/health", kPublic, get_health, "Whether the process answers"},
      {Get, "/api/v1/ready", kPublic, get_ready, "Whether the database and Redis answer it"},
      {Get, "/openapi.json", kPublic, get_openapi, "This description"},

      // Signing in
      {Post, "/api/v1/session", kPublic, post_session, "Sign in with e-mail and password"},
      {Get, "/api/v1/session", kSignedIn, get_session, "Who is signed in, in which teams"},
      {Delete, "/api/v1/session", kSignedIn, delete_session, "Sign out"},
      {Delete, "/api/v1/sessions", kSignedIn, delete_sessions, "Sign out everywhere"},
      {Put, "/api/v1/password", kSignedIn, put_password, "Change one's own password"},
      {Post, "/api/v1/password/reset", kPublic, post_password_reset,
       "Set a password by a one-time link"},
      {Post, "/api/v1/invitations/accept", kPublic, post_invitation_accept,
       "Make an account by an invitation"},

      // People and keys of a team
      {Get, "/api/v1/users", kAdmin, get_users, "The people of the team"},
      {Patch, "/api/v1/users/{id}", kAdmin, patch_user, "Give a person another role"},
      {Post, "/api/v1/users/{id}/deactivate", kAdmin, post_user_deactivate,
       "Shut a person out; their work stays"},
      {Post, "/api/v1/users/{id}/activate", kAdmin, post_user_activate, "Let a person in again"},
      {Post, "/api/v1/users/{id}/reset", kAdmin, post_user_reset,
       "A one-time link to set a new password"},
      {Get, "/api/v1/invitations", kAdmin, get_invitations, "Invitations that are open"},
      {Post, "/api/v1/invitations", kAdmin, post_invitation, "Invite a person"},
      {Delete, "/api/v1/invitations/{id}", kAdmin, delete_invitation, "Take an invitation back"},
      {Get, "/api/v1/tokens", kEngineer, get_tokens, "API tokens"},
      {Post, "/api/v1/tokens", kEngineer, post_token, "Make an API token"},
      {Delete, "/api/v1/tokens/{id}", kEngineer, delete_token, "Revoke an API token"},

      // Projects and what is judged in them
      {Get, "/api/v1/projects", kAnnotator, list_projects, "The team's projects"},
      {Post, "/api/v1/projects", kEngineer, post_project, "Make a project"},
      {Get, "/api/v1/projects/{id}", kAnnotator, get_project, "One project with its counts"},
      {Patch, "/api/v1/projects/{id}", kEngineer, patch_project,
       "Change name, guideline or settings"},
      {Get, "/api/v1/projects/{id}/progress", kAnnotator, get_progress, "How far the labelling is"},
      {Get, "/api/v1/projects/{id}/prompts", kEngineer, list_prompts, "The prompts"},
      {Post, "/api/v1/projects/{id}/imports", kEngineer.uploads(), post_import,
       "Import prompts or preference pairs as JSONL"},
      {Get, "/api/v1/bases", kAnnotator, list_bases, "Open-weight bases of this installation"},
      {Post, "/api/v1/projects/{id}/samples", kEngineer, post_sample,
       "Draw answers from a base for each prompt"},
      {Get, "/api/v1/projects/{id}/critics", kEngineer, list_critics, "Rule critics, each version"},
      {Post, "/api/v1/projects/{id}/critics", kEngineer, post_critic,
       "Make a rule critic or its next version"},
      {Post, "/api/v1/projects/{id}/judge", kEngineer, post_judge,
       "Let a critic judge what it has not judged yet"},
      {Get, "/api/v1/projects/{id}/snapshots", kEngineer, list_snapshots, "Frozen judgments"},
      {Post, "/api/v1/projects/{id}/snapshots", kEngineer, post_snapshot,
       "Freeze the judgments as they are now"},
      {Get, "/api/v1/snapshots/{id}", kEngineer, get_snapshot, "One snapshot with its manifest"},
      {Get, "/api/v1/snapshots/{id}/rows", kEngineer, get_snapshot_rows, "Its rows as JSONL"},

      // Labelling
      {Post, "/api/v1/projects/{id}/queue/next", kAnnotator, post_queue_next,
       "Up to three comparisons to judge, on lease"},
      {Post, "/api/v1/assignments/renew", kAnnotator, renew_assignments, "Prolong leases"},
      {Post, "/api/v1/assignments/{id}/release", kAnnotator, release_assignment,
       "Give a comparison back"},
      {Post, "/api/v1/assignments/{id}/judgments", kAnnotator, post_judgment, "Answer"},
      {Post, "/api/v1/judgments/{id}/retract", kAnnotator, retract_judgment,
       "Take an answer back and see its comparison again"},
      {Get, "/api/v1/me/stats", kAnnotator, get_my_stats, "One's own pace"},
      {Get, "/api/v1/me/judgments", kAnnotator, list_my_judgments,
       "One's own answers, newest first"},

      // Runs and jobs
      {Get, "/api/v1/methods", kSignedIn, get_methods,
       "Training methods: what each minimises, and its settings as a JSON Schema"},
      {Post, "/api/v1/runs", kEngineer, post_run, "Start a training run"},
      {Get, "/api/v1/runs", kReviewer, list_runs, "Runs, newest first"},
      {Get, "/api/v1/runs/{id}", kReviewer, get_run, "One run"},
      {Post, "/api/v1/runs/{id}/cancel", kEngineer, cancel_run, "Cancel a run"},
      {Get, "/api/v1/runs/{id}/events", kReviewer, get_run_events,
       "A run's events, live or as a list"},
      {Get, "/api/v1/jobs", kReviewer, list_jobs, "Jobs of all kinds, newest first"},
      {Get, "/api/v1/jobs/{id}", kReviewer, get_job, "One job"},
      {Post, "/api/v1/jobs/{id}/cancel", kEngineer, cancel_job, "Cancel a job"},
      {Get, "/api/v1/jobs/{id}/events", kReviewer, get_job_events,
       "A job's events, live or as a list"},

      // The registry
      {Get, "/api/v1/models", kReviewer, list_models, "Published models"},
      {Get, "/api/v1/models/{name}", kReviewer, get_model, "One model with its versions"},
      {Get, "/api/v1/models/{name}/versions/{n}", kReviewer, get_version,
       "One version: where it comes from, how good it is, its files"},
      {Get, "/api/v1/models/{name}/versions/{n}/files/{path...}", kReviewer, get_version_file,
       "One file"},
      {Get, "/api/v1/models/{name}/versions/{n}/archive/{folder}", kReviewer, get_version_archive,
       "One folder as a tar"},
  };
  return table;
}

}  // namespace hone::server
