// The whole route table. Read from top to bottom it is the API.
#include "services/server/routes.h"

#include "services/server/handlers/health.h"
#include "services/server/handlers/invitations.h"
#include "services/server/handlers/openapi.h"
#include "services/server/handlers/session.h"
#include "services/server/handlers/tokens.h"
#include "services/server/handlers/users.h"

namespace hone::server {

using httpd::kAdmin;
using httpd::kAnnotator;
using httpd::kEngineer;
using httpd::kPublic;
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
      {Post, "/api/v1/password/reset", kPublic, post_password_reset, "Set a password by a one-time link"},
      {Post, "/api/v1/invitations/accept", kPublic, post_invitation_accept, "Make an account by an invitation"},

      // People and keys of a team
      {Get, "/api/v1/users", kAdmin, get_users, "The people of the team"},
      {Patch, "/api/v1/users/{id}", kAdmin, patch_user, "Give a person another role"},
      {Post, "/api/v1/users/{id}/deactivate", kAdmin, post_user_deactivate, "Shut a person out; their work stays"},
      {Post, "/api/v1/users/{id}/activate", kAdmin, post_user_activate, "Let a person in again"},
      {Post, "/api/v1/users/{id}/reset", kAdmin, post_user_reset, "A one-time link to set a new password"},
      {Get, "/api/v1/invitations", kAdmin, get_invitations, "Invitations that are open"},
      {Post, "/api/v1/invitations", kAdmin, post_invitation, "Invite a person"},
      {Delete, "/api/v1/invitations/{id}", kAdmin, delete_invitation, "Take an invitation back"},
      {Get, "/api/v1/tokens", kEngineer, get_tokens, "API tokens"},
      {Post, "/api/v1/tokens", kEngineer, post_token, "Make an API token"},
      {Delete, "/api/v1/tokens/{id}", kEngineer, delete_token, "Revoke an API token"},
  };
  return table;
}

}  // namespace hone::server
