// Redis: wakes and hints. It holds nothing that PostgreSQL lacks, so its absence is a value here,
// not an exception.
#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace hone::storage {

/// Where Redis is. From `unix:/path/redis.sock?password=...` or `redis://:password@host:port`.
struct RedisAddress {
  std::string socket;  ///< path of a unix socket; empty = host and port
  std::string host;
  int port = 6379;
  std::string password;
};

/// Throws Invalid for text that is neither form.
RedisAddress parse_redis_url(const std::string& url);

/// One message of a stream.
struct StreamMessage {
  std::string id;
  std::map<std::string, std::string> fields;
};

/// One connection, opened when first needed and opened again (at most once a second) after it
/// broke. One thread at a time. Every call is bounded by `timeout`, a blocking read by its own wait
/// in addition. nullopt / false = Redis is away or refused.
class Redis {
 public:
  explicit Redis(RedisAddress address,
                 std::chrono::milliseconds timeout = std::chrono::milliseconds(500));
  ~Redis();
  Redis(Redis&&) noexcept;
  Redis& operator=(Redis&&) noexcept;

  bool ping();
  /// Appends to a stream that is trimmed to about `max_length` entries. The new message's id.
  std::optional<std::string> xadd(const std::string& stream,
                                  const std::map<std::string, std::string>& fields,
                                  int max_length = 10000);
  /// Takes up to `count` new messages for `consumer`, waiting up to `wait` for the first. Makes
  /// stream and group when they are missing (a flushed Redis heals by itself). Empty = none came.
  std::optional<std::vector<StreamMessage>> xreadgroup(const std::string& stream,
                                                       const std::string& group,
                                                       const std::string& consumer, int count,
                                                       std::chrono::milliseconds wait);
  bool xack(const std::string& stream, const std::string& group, const std::string& id);
  /// Takes over messages that another consumer took and left for at least `idle`.
  std::optional<std::vector<StreamMessage>> xautoclaim(const std::string& stream,
                                                       const std::string& group,
                                                       const std::string& consumer,
                                                       std::chrono::milliseconds idle, int count);
  /// Fire and forget.
  bool publish(const std::string& channel, const std::string& payload);
  /// Waits up to `wait` for one payload on `channel` (subscribes on first use; this connection then
  /// does nothing else). nullopt also when nothing came.
  std::optional<std::string> next_published(const std::string& channel,
                                            std::chrono::milliseconds wait);

 private:
  struct Connection;
  std::unique_ptr<Connection> connection_;
};

/// The stream on which workers of a GPU class are woken; messages are {job_id}.
inline std::string jobs_stream(const std::string& gpu_class) { return "hone:jobs:" + gpu_class; }
inline constexpr const char* kWorkersGroup = "workers";

}  // namespace hone::storage
