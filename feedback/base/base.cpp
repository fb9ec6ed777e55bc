#include "feedback/base/error.h"
#include "feedback/base/id.h"
