#include "services/worker/revision.h"

#include "hone_revision.h"

namespace hone::worker {

const char* code_revision() { return HONE_REVISION; }
bool code_dirty() { return HONE_REVISION_DIRTY != 0; }

}  // namespace hone::worker
