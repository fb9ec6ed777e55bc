#include "services/server/auth/email.h"

#include <algorithm>

#include "feedback/base/error.h"

namespace hone::server {

std::string normal_email(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  return out;
}

std::string parse_email(std::string_view text, const std::string& pointer) {
  auto email = normal_email(text);
  const auto at = email.find('@');
  const bool plain =
      std::all_of(email.begin(), email.end(), [](unsigned char c) { return c > ' ' && c != 0x7f; });
  if (!plain || email.size() > 254 || at == 0 || at == std::string::npos ||
      at + 1 == email.size() || email.find('@', at + 1) != std::string::npos)
    throw Error(Code::Invalid, "this is not an e-mail address", pointer);
  return email;
}

}  // namespace hone::server
