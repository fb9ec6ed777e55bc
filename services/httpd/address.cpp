#include "services/httpd/address.h"

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ip/network_v4.hpp>
#include <boost/asio/ip/network_v6.hpp>

#include <optional>

namespace hone::httpd {
namespace {

namespace ip = boost::asio::ip;

std::optional<ip::address> parse(const std::string& text) {
  boost::system::error_code failed;
  auto address = ip::make_address(text, failed);
  if (failed) return std::nullopt;
  if (address.is_v6() && address.to_v6().is_v4_mapped())
    return ip::make_address_v4(ip::v4_mapped, address.to_v6());
  return address;
}

bool in(const ip::address& address, const std::string& cidr) {
  boost::system::error_code failed;
  if (const auto one = parse(cidr)) return *one == address;
  if (address.is_v4()) {
    const auto net = ip::make_network_v4(cidr, failed);
    return !failed &&
           ip::make_network_v4(address.to_v4(), net.prefix_length()).canonical() == net.canonical();
  }
  const auto net = ip::make_network_v6(cidr, failed);
  return !failed &&
         ip::make_network_v6(address.to_v6(), net.prefix_length()).canonical() == net.canonical();
}

}  // namespace

bool is_loopback(const std::string& host) {
  if (host == "localhost") return true;
  const auto address = parse(host);
  return address && address->is_loopback();
}

bool is_cidr(const std::string& text) {
  boost::system::error_code not_v4, not_v6;
  if (parse(text)) return true;
  ip::make_network_v4(text, not_v4);
  ip::make_network_v6(text, not_v6);
  return !not_v4 || !not_v6;
}

bool in_any(const std::string& address, const std::vector<std::string>& cidrs) {
  const auto parsed = parse(address);
  if (!parsed) return false;
  for (const auto& cidr : cidrs)
    if (in(*parsed, cidr)) return true;
  return false;
}

std::string client_of(const std::string& peer, std::string_view forwarded_for,
                      const std::vector<std::string>& proxies) {
  if (proxies.empty() || !in_any(peer, proxies)) return peer;
  std::string client = peer;
  while (!forwarded_for.empty()) {
    const auto comma = forwarded_for.rfind(',');
    auto hop = forwarded_for.substr(comma == std::string_view::npos ? 0 : comma + 1);
    forwarded_for =
        comma == std::string_view::npos ? std::string_view() : forwarded_for.substr(0, comma);
    while (!hop.empty() && hop.front() == ' ') hop.remove_prefix(1);
    while (!hop.empty() && hop.back() == ' ') hop.remove_suffix(1);
    const std::string text(hop);
    if (!parse(text)) break;  // not an address: believe nothing before it
    client = text;
    if (!in_any(text, proxies)) break;
  }
  return client;
}

}  // namespace hone::httpd
