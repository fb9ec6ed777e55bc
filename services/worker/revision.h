// Which code this is. Apart, because it changes with every commit.
#pragma once

namespace hone::worker {

const char* code_revision();
/// Whether tracked files differed from it when this was built.
bool code_dirty();

}  // namespace hone::worker
