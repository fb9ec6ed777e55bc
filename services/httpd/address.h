// Addresses: which are this machine's own, which are a trusted proxy's.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hone::httpd {

/// 127.0.0.0/8, ::1, `localhost`.
bool is_loopback(const std::string& host);

/// True for `a.b.c.d/n`, `x::/n`, or one address.
bool is_cidr(const std::string& text);

/// Whether `address` lies in one of the ranges; an IPv4 address in IPv6 clothes counts as IPv4.
bool in_any(const std::string& address, const std::vector<std::string>& cidrs);

/// Whom a request is from: the peer, or, when the peer is a trusted proxy, the last address of
/// X-Forwarded-For that is not itself a trusted proxy.
std::string client_of(const std::string& peer, std::string_view forwarded_for,
                      const std::vector<std::string>& proxies);

}  // namespace hone::httpd
