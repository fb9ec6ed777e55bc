#include "services/server/auth/accounts.h"

#include <sodium.h>

#include <new>

#include "services/server/auth/digest.h"

namespace hone::server {
namespace {

std::string hash_now(const std::string& password, const HashCost& cost) {
  std::string out(crypto_pwhash_STRBYTES, '\0');
  if (crypto_pwhash_str_alg(out.data(), password.data(), password.size(), cost.passes, cost.bytes,
                            crypto_pwhash_ALG_ARGON2ID13) != 0)
    throw std::bad_alloc();
  out.resize(out.find('\0'));
  return out;
}

}  // namespace

Accounts::Accounts(shared::Secret csrf_key, HashCost cost)
    : csrf_key_(std::move(csrf_key)), cost_(cost), hashing_("hashing", 2, 32) {
  std::string unknown(32, '\0');
  randombytes_buf(unknown.data(), unknown.size());
  nobody_ = hash_now(unknown, cost_);
}

net::awaitable<std::string> Accounts::hash(std::string password) {
  auto work = [this, &password] { return hash_now(password, cost_); };
  co_return co_await hashing_.call(std::ref(work));
}

net::awaitable<Accounts::Check> Accounts::check(std::string hash, std::string password) {
  const bool known = !hash.empty();
  const auto against = known ? hash : nobody_;
  auto work = [this, known, &against, &password] {
    const bool right =
        crypto_pwhash_str_verify(against.c_str(), password.data(), password.size()) == 0;
    return Check{known && right, known && right &&
                                     crypto_pwhash_str_needs_rehash(against.c_str(), cost_.passes,
                                                                    cost_.bytes) != 0};
  };
  co_return co_await hashing_.call(std::ref(work));
}

std::string Accounts::csrf_of(const std::string& login) const {
  return hmac_hex(csrf_key_.reveal(), "csrf:" + login);
}

Accounts::Guess Accounts::begin_guess(const std::string& email, const std::string& address) {
  auto key = email + "\n" + address;
  const std::lock_guard lock(mutex_);
  return Guess(*this, key, ++guesses_[key]);
}

Accounts::Guess::~Guess() {
  if (!accounts_) return;
  const std::lock_guard lock(accounts_->mutex_);
  const auto found = accounts_->guesses_.find(key_);
  if (--found->second == 0) accounts_->guesses_.erase(found);
}

}  // namespace hone::server
