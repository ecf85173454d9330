/// The check of the settings.
#pragma once

#include <vector>

#include "hmacd/settings.h"
#include "target.h"

namespace hmacd::internal {

/// Returns the parsed targets.
/// @throws Error `INVALID_ARGUMENT` with the name and the value of the first wrong setting
std::vector<Target> check(const Settings &settings);

}  // namespace hmacd::internal
