// What the operator commands share: the installation's database, its teams, and the account that
// stands for the console.
#pragma once

#include <cstdint>
#include <string>

#include "services/shared/config.h"
#include "storage/postgres/pool.h"
#include "storage/repo/teams.h"

namespace hone::cli {

/// The settings, with a database named. Throws Error{Invalid} saying how to name one.
shared::Config console_config();
/// Few connections, as the app's role.
storage::Pool open_pool(const shared::Config& config);

/// The team of that slug. Throws NotFound naming the ones there are.
storage::Team find_team(storage::Pool& pool, const std::string& slug);
/// The same; the team `default` is made when it is missing.
storage::Team find_or_make_team(storage::Pool& pool, const std::string& slug);

/// Tokens belong to a person, and an installation may have none yet: the console has an account
/// that no password opens. In the transaction's team it is an active member with `least` or more.
UserId console_member(storage::Tx& tx, storage::Role least);

/// What links begin with: HONE_PUBLIC_URL, else what `make up` wrote down, else the listen address.
std::string public_url(const shared::Config& config);

}  // namespace hone::cli
