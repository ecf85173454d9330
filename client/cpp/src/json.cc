#include "json.h"

#include <set>
#include <string>
#include <utility>
#include <vector>

namespace hmacd::internal {

std::optional<nlohmann::json> parse_object(std::string_view text) {
  constexpr int max_depth = 32;
  using Event = nlohmann::json::parse_event_t;
  bool valid = true;
  // The names of the members of each open object.
  std::vector<std::set<std::string>> names;
  const auto check = [&](int depth, Event event, const nlohmann::json &parsed) {
    if (event == Event::object_start) names.emplace_back();
    if (event == Event::object_end) names.pop_back();
    if (event == Event::key) valid = names.back().insert(parsed.get<std::string>()).second && valid;
    valid = valid && depth < max_depth;
    return true;
  };
  auto parsed = nlohmann::json::parse(text.begin(), text.end(), check, /*allow_exceptions=*/false);
  if (!valid || !parsed.is_object()) return std::nullopt;
  return parsed;
}

}  // namespace hmacd::internal
