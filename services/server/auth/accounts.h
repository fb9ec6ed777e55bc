// What accounts need beside the database: slow hashing on its own threads, proofs against forged
// requests, and a bound on the guesses that run at once.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "services/server/work_pool.h"
#include "services/shared/secrets.h"

namespace hone::server {

/// libsodium's Argon2id. The default costs 64 MiB and two passes; the floor of a test is lower.
struct HashCost {
  unsigned long long passes = 2;
  std::size_t bytes = std::size_t{64} << 20;
};

/// Any thread.
class Accounts {
 public:
  /// `csrf_key` has 32 bytes.
  Accounts(shared::Secret csrf_key, HashCost cost = {});

  net::awaitable<std::string> hash(std::string password);
  struct Check {
    bool right = false;
    bool needs_rehash = false;  ///< the stored hash has another cost than new ones
  };
  /// An empty `hash` (nobody has this e-mail) is never right and takes as long.
  net::awaitable<Check> check(std::string hash, std::string password);

  /// The value that a page must send as X-Hone-CSRF; `login` is the SHA-256 of its cookie.
  std::string csrf_of(const std::string& login) const;

  /// One guess that is being evaluated; its count ends with it. So that 100 guesses sent at once
  /// do not all pass before the first is counted.
  class Guess {
   public:
    Guess(Accounts& accounts, std::string key, int running)
        : accounts_(&accounts), key_(std::move(key)), running_(running) {}
    Guess(Guess&& other) noexcept
        : accounts_(std::exchange(other.accounts_, nullptr)),
          key_(std::move(other.key_)),
          running_(other.running_) {}
    Guess& operator=(Guess&&) = delete;
    ~Guess();
    int running() const { return running_; }  ///< this one included

   private:
    Accounts* accounts_;
    std::string key_;
    int running_;
  };
  Guess begin_guess(const std::string& email, const std::string& address);

  /// Waits for hashes that run.
  void join() { hashing_.join(); }

 private:
  shared::Secret csrf_key_;
  HashCost cost_;
  std::string nobody_;  // a hash that no password has been told for
  WorkPool hashing_;
  std::mutex mutex_;
  std::map<std::string, int> guesses_;
};

}  // namespace hone::server
