#include "storage/redis/redis.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <string_view>

#include "feedback/base/error.h"

namespace hone::storage {
namespace {

using Clock = std::chrono::steady_clock;
using Milliseconds = std::chrono::milliseconds;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

timeval to_timeval(Milliseconds time) {
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(time).count();
  return {static_cast<time_t>(us / 1000000), static_cast<suseconds_t>(us % 1000000)};
}

std::string string_of(const redisReply* reply) {
  return reply->str == nullptr ? std::string() : std::string(reply->str, reply->len);
}

bool is_error(const redisReply* reply, std::string_view prefix = {}) {
  return reply->type == REDIS_REPLY_ERROR && string_of(reply).starts_with(prefix);
}

/// [[id, [field, value, ...]], ...]; an entry that was deleted meanwhile has no fields.
std::vector<StreamMessage> messages_of(const redisReply* entries) {
  std::vector<StreamMessage> messages;
  for (std::size_t i = 0; entries->type == REDIS_REPLY_ARRAY && i < entries->elements; ++i) {
    const redisReply* entry = entries->element[i];
    if (entry->type != REDIS_REPLY_ARRAY || entry->elements < 2) continue;
    StreamMessage message;
    message.id = string_of(entry->element[0]);
    const redisReply* fields = entry->element[1];
    for (std::size_t f = 0; fields->type == REDIS_REPLY_ARRAY && f + 1 < fields->elements; f += 2)
      message.fields[string_of(fields->element[f])] = string_of(fields->element[f + 1]);
    messages.push_back(std::move(message));
  }
  return messages;
}

}  // namespace

RedisAddress parse_redis_url(const std::string& url) {
  const auto refuse = [] {
    return Error(Code::Invalid,
                 "a Redis URL is unix:/path?password=... or redis://:password@host:port");
  };
  RedisAddress address;
  if (url.starts_with("unix:")) {
    const auto question = url.find('?');
    address.socket = url.substr(5, question == std::string::npos ? question : question - 5);
    if (address.socket.starts_with("//")) address.socket.erase(0, 2);
    if (question != std::string::npos) {
      const auto query = url.substr(question + 1);
      if (!query.starts_with("password=")) throw refuse();
      address.password = query.substr(9);
    }
    if (address.socket.empty()) throw refuse();
    return address;
  }
  if (!url.starts_with("redis://")) throw refuse();
  auto rest = url.substr(8);
  if (const auto at = rest.rfind('@'); at != std::string::npos) {
    const auto secret = rest.substr(0, at);
    const auto colon = secret.find(':');
    address.password = colon == std::string::npos ? secret : secret.substr(colon + 1);
    rest.erase(0, at + 1);
  }
  if (const auto slash = rest.find('/'); slash != std::string::npos) rest.erase(slash);
  const auto colon = rest.rfind(':');
  address.host = rest.substr(0, colon);
  if (colon != std::string::npos) {
    const auto port = rest.substr(colon + 1);
    const auto end = port.data() + port.size();
    const auto read = std::from_chars(port.data(), end, address.port);
    if (read.ec != std::errc() || read.ptr != end || address.port < 1 || address.port > 65535)
      throw refuse();
  }
  if (address.host.empty()) throw refuse();
  return address;
}

struct Redis::Connection {
  RedisAddress address;
  Milliseconds timeout;
  redisContext* context = nullptr;
  Clock::time_point next_try{};  // not before: an absent Redis must not cost a time-out a call
  std::string subscribed;

  Connection(RedisAddress given, Milliseconds limit) : address(std::move(given)), timeout(limit) {
    // A peer that went away is an error to read, not a signal to die of.
    struct sigaction now {};
    if (sigaction(SIGPIPE, nullptr, &now) == 0 && now.sa_handler == SIG_DFL)
      signal(SIGPIPE, SIG_IGN);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { close(); }

  void close() {
    if (context != nullptr) redisFree(context);
    context = nullptr;
    subscribed.clear();
  }

  bool open() {
    if (context != nullptr) return true;
    if (Clock::now() < next_try) return false;
    next_try = Clock::now() + std::chrono::seconds(1);
    context = address.socket.empty()
                  ? redisConnectWithTimeout(address.host.c_str(), address.port, to_timeval(timeout))
                  : redisConnectUnixWithTimeout(address.socket.c_str(), to_timeval(timeout));
    if (context == nullptr || context->err != 0) {
      close();
      return false;
    }
    redisSetTimeout(context, to_timeval(timeout));
    if (address.password.empty()) return true;
    const auto reply = send({"AUTH", address.password});
    if (reply && !is_error(reply.get())) return true;
    close();
    return false;
  }

  /// One command on the open connection; null (and closed) when it failed on the way.
  Reply send(const std::vector<std::string>& words) {
    std::vector<const char*> starts;
    std::vector<std::size_t> sizes;
    for (const auto& word : words) {
      starts.push_back(word.data());
      sizes.push_back(word.size());
    }
    Reply reply(static_cast<redisReply*>(
        redisCommandArgv(context, static_cast<int>(words.size()), starts.data(), sizes.data())));
    if (!reply) close();
    return reply;
  }

  /// As send(), opening first; a connection that died while idle is replaced once, at once.
  Reply call(const std::vector<std::string>& words, Milliseconds wait = Milliseconds(0)) {
    const bool fresh = context == nullptr;
    if (!open()) return nullptr;
    redisSetTimeout(context, to_timeval(timeout + wait));
    const auto asked = Clock::now();
    if (auto reply = send(words)) return reply;
    // A silence as long as the time-out is an answer too: do not wait for it twice.
    if (fresh || Clock::now() - asked >= timeout + wait) return nullptr;
    next_try = {};
    if (!open()) return nullptr;
    redisSetTimeout(context, to_timeval(timeout + wait));
    return send(words);
  }
};

Redis::Redis(RedisAddress address, Milliseconds timeout)
    : connection_(std::make_unique<Connection>(std::move(address), timeout)) {}
Redis::~Redis() = default;
Redis::Redis(Redis&&) noexcept = default;
Redis& Redis::operator=(Redis&&) noexcept = default;

bool Redis::ping() {
  const auto reply = connection_->call({"PING"});
  return reply && !is_error(reply.get());
}

std::optional<std::string> Redis::xadd(const std::string& stream,
                                       const std::map<std::string, std::string>& fields,
                                       int max_length) {
  std::vector<std::string> words{"XADD", stream, "MAXLEN", "~", std::to_string(max_length), "*"};
  for (const auto& [field, value] : fields) {
    words.push_back(field);
    words.push_back(value);
  }
  const auto reply = connection_->call(words);
  if (!reply || is_error(reply.get())) return std::nullopt;
  return string_of(reply.get());
}

std::optional<std::vector<StreamMessage>> Redis::xreadgroup(const std::string& stream,
                                                            const std::string& group,
                                                            const std::string& consumer, int count,
                                                            Milliseconds wait) {
  std::vector<std::string> words{"XREADGROUP", "GROUP", group,
                                 consumer,     "COUNT", std::to_string(count)};
  if (wait.count() > 0) {  // BLOCK 0 would be for ever
    words.push_back("BLOCK");
    words.push_back(std::to_string(wait.count()));
  }
  for (const auto& word : {std::string("STREAMS"), stream, std::string(">")}) words.push_back(word);

  auto reply = connection_->call(words, wait);
  if (reply && is_error(reply.get(), "NOGROUP")) {
    // From the start: what was added before the group was made are wake-ups too.
    connection_->call({"XGROUP", "CREATE", stream, group, "0", "MKSTREAM"});
    reply = connection_->call(words, wait);
  }
  if (!reply || is_error(reply.get())) return std::nullopt;
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements == 0) return std::vector<StreamMessage>{};
  const redisReply* of_stream = reply->element[0];
  if (of_stream->type != REDIS_REPLY_ARRAY || of_stream->elements < 2) return std::nullopt;
  return messages_of(of_stream->element[1]);
}

bool Redis::xack(const std::string& stream, const std::string& group, const std::string& id) {
  const auto reply = connection_->call({"XACK", stream, group, id});
  return reply && !is_error(reply.get());
}

std::optional<std::vector<StreamMessage>> Redis::xautoclaim(const std::string& stream,
                                                            const std::string& group,
                                                            const std::string& consumer,
                                                            Milliseconds idle, int count) {
  const auto reply =
      connection_->call({"XAUTOCLAIM", stream, group, consumer, std::to_string(idle.count()), "0-0",
                         "COUNT", std::to_string(count)});
  if (reply && is_error(reply.get(), "NOGROUP")) return std::vector<StreamMessage>{};
  if (!reply || is_error(reply.get()) || reply->type != REDIS_REPLY_ARRAY || reply->elements < 2)
    return std::nullopt;
  return messages_of(reply->element[1]);
}

bool Redis::publish(const std::string& channel, const std::string& payload) {
  const auto reply = connection_->call({"PUBLISH", channel, payload});
  return reply && !is_error(reply.get());
}

std::optional<std::string> Redis::next_published(const std::string& channel, Milliseconds wait) {
  auto& own = *connection_;
  if (own.subscribed != channel) {
    const auto reply = own.call({"SUBSCRIBE", channel});
    if (!reply || is_error(reply.get())) return std::nullopt;
    own.subscribed = channel;
  }
  redisSetTimeout(own.context, to_timeval(std::max(wait, Milliseconds(1))));
  void* raw = nullptr;
  if (redisGetReply(own.context, &raw) != REDIS_OK) {
    // A time-out leaves the context unusable in hiredis: subscribe anew next time.
    own.close();
    own.next_try = {};
    return std::nullopt;
  }
  const Reply reply(static_cast<redisReply*>(raw));
  if (reply->type != REDIS_REPLY_ARRAY || reply->elements < 3) return std::nullopt;
  return string_of(reply->element[2]);
}

}  // namespace hone::storage
