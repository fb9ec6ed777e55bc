#include "services/httpd/sse.h"

namespace hone::httpd {

std::string sse_event(std::optional<std::int64_t> id, std::string_view event,
                      std::string_view data) {
  std::string out;
  if (id) out += "id: " + std::to_string(*id) + "\n";
  out += "event: ";
  out += event;
  out += "\ndata: ";
  for (const char c : data) {
    if (c == '\n')
      out += "\ndata: ";
    else if (c != '\r')
      out += c;
  }
  out += "\n\n";
  return out;
}

}  // namespace hone::httpd
