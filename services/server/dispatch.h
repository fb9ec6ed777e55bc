// Every request comes through here: credentials, policy, body, handler, errors, headers, log line.
#pragma once

#include "services/httpd/router.h"
#include "services/httpd/server.h"
#include "services/server/app.h"
#include "services/server/routes.h"
#include "services/server/static_files.h"

namespace hone::server {

class Dispatch : public httpd::Application {
 public:
  Dispatch(App& app, StaticFiles& page);

  net::awaitable<Response> serve(Request request, httpd::BodyReader& body,
                                 bool& signed_in) override;
  void finish(const Request& request, Response& response) override;

 private:
  net::awaitable<Response> answer(Request request, httpd::BodyReader& body, bool& signed_in,
                                  std::string& route);
  net::awaitable<Caller> identify(const httpd::Policy& policy, const Request& request);
  net::awaitable<void> read_body(const httpd::Policy& policy, Request& request,
                                 httpd::BodyReader& body);

  App& app_;
  StaticFiles& page_;
  httpd::Router router_;
};

}  // namespace hone::server
