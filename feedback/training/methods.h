// Every training method under its one name: the formula in words, and the settings it takes with
// their presets and bounds. The server refuses by this table, hone-run trains by it, the schemas
// and the model card quote it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "feedback/training/settings.h"

namespace hone::feedback {

/// Which loop's part a method is (rl/train), and so what its data holds and what comes out.
enum class Family {
  Demonstration,  ///< SFT: conversations; a language model
  Reward,         ///< pairs; a reward model
  Preference,     ///< pairs; a language model
  Unpaired,       ///< single answers, good or bad; a language model
  Policy,         ///< prompts and a reward; a language model
  Distillation,   ///< conversations and a teacher; a language model
};

/// "reward": the word of schemas and the API.
std::string_view to_string(Family family);

struct Method {
  std::string name;
  Family family = Family::Preference;
  std::string what;     ///< "direct preference optimization"
  std::string formula;  ///< what is minimised, in words and symbols, with its normaliser
  std::vector<Setting> settings;
};

const std::vector<Method>& methods();

/// Throws Invalid for an unknown name, and for one that means several things in the field with
/// those that mean one.
const Method& method(std::string_view name);

/// "a, b and c": the names of all methods.
std::string method_names();

/// Does the method start from a reference that equals it, so that its first loss is known?
bool has_reference(const Method& method);

}  // namespace hone::feedback
