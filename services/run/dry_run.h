// hone-run train --dry-run: a rehearsal told to a person.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "rl/train/dry_run.h"

namespace hone::run {

/// How tokens are told apart by what the loss does with them.
enum class Look {
  Plain,   ///< [+learnt+], [-against-], [~masked~]; what is given has no marks
  Colour,  ///< green, red, grey, dim; the shade changes from token to token
};

/// One text with its masks. What could move a terminal's cursor is shown as a dot.
std::string show_text(const rl::ShownText& text, const rl::Tokenizer& tokenizer, Look look);

/// The whole rehearsal; `messages` were told on the way.
std::string report(const rl::DryRun& run, const std::vector<std::string>& messages, Look look);

/// Rehearses the spec in a file and prints the report. 64 when the run has no room.
int dry_run_file(const std::filesystem::path& spec);

}  // namespace hone::run
