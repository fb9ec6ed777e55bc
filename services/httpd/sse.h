// Server-sent events, as text.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone::httpd {

/// `id:`, `event:`, `data:` and the blank line. `data` is one line of JSON; a line break in it
/// becomes a second data line.
std::string sse_event(std::optional<std::int64_t> id, std::string_view event,
                      std::string_view data);

/// A comment line that keeps proxies from closing the stream.
inline constexpr std::string_view kSseHeartbeat = ": still here\n\n";

}  // namespace hone::httpd
