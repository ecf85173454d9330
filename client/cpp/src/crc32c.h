/// CRC32C (Castagnoli, RFC 3720).
#pragma once

#include <cstdint>
#include <string_view>

namespace hmacd::internal {

std::uint32_t crc32c(std::string_view bytes) noexcept;

}  // namespace hmacd::internal
