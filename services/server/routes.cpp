// The whole route table. Read from top to bottom it is the API.
#include "services/server/routes.h"

#include "services/server/handlers/health.h"

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
  };
  return table;
}

}  // namespace hone::server
