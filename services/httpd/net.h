// The two names of Boost that other folders may see: coroutines and the list of HTTP statuses.
// Beast's own types stay inside this folder's .cpp files, where their compile time belongs.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <boost/beast/http/status.hpp>

namespace hone::httpd {

namespace net = boost::asio;
namespace http = boost::beast::http;

}  // namespace hone::httpd
