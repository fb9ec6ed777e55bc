// One command of `hone`: its words, what it takes, what it does. commands.cpp has the table.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "services/cli/args.h"

namespace hone::cli {

struct Command {
  const char* words;    ///< "run start"
  const char* usage;    ///< what follows the words
  const char* summary;  ///< one line
  Syntax syntax;
  int (*act)(const Args& args);  ///< the exit status; failures throw hone::Error
};

/// Every command, in the order of `hone --help`.
const std::vector<Command>& commands();

/// Prints a value as JSON and a line break.
void print_json(const nlohmann::json& value);
void print_json(const std::vector<nlohmann::json>& values);

// What acts. Operator commands reach the database and the store; the others speak HTTP.
int act_migrate(const Args& args);
int act_setup_link(const Args& args);
int act_users_list(const Args& args);
int act_users_reset(const Args& args);
int act_users_deactivate(const Args& args);
int act_teams_list(const Args& args);
int act_teams_create(const Args& args);
int act_tokens_create(const Args& args);
int act_bases_add(const Args& args);
int act_bases_list(const Args& args);

int act_projects_create(const Args& args);
int act_projects_list(const Args& args);
int act_projects_import(const Args& args);
int act_sample(const Args& args);
int act_critic_add(const Args& args);
int act_critic_list(const Args& args);
int act_judge(const Args& args);
int act_snapshot(const Args& args);
int act_snapshots_list(const Args& args);

int act_run_start(const Args& args);
int act_run_follow(const Args& args);
int act_run_show(const Args& args);
int act_run_cancel(const Args& args);
int act_run_list(const Args& args);
int act_job_follow(const Args& args);
int act_job_cancel(const Args& args);
int act_job_list(const Args& args);
int act_models_list(const Args& args);
int act_models_show(const Args& args);
int act_models_download(const Args& args);

}  // namespace hone::cli
