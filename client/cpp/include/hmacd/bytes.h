/// Byte sequences as arguments.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <type_traits>
#include <utility>

namespace hmacd {

/// A view of bytes that the caller owns. It is valid as long as the bytes are.
///
/// A container of `char`, `unsigned char` or `std::byte` converts to it: `std::string`, `std::string_view`,
/// `std::vector<std::uint8_t>`, `std::array`. The client changes no byte: text must be UTF-8, and the client decodes no
/// base64 and no hex. `const char *` does not convert, because its length would end at the first zero
/// byte: write `"text"sv`.
class BytesView {
 public:
  constexpr BytesView(std::string_view bytes) noexcept : bytes_(bytes) {}
  BytesView(const void *data, std::size_t size) noexcept : bytes_(static_cast<const char *>(data), size) {}
  template <class Container,
            class Byte = std::remove_cv_t<std::remove_pointer_t<decltype(std::declval<const Container &>().data())>>,
            class = std::enable_if_t<std::is_same_v<Byte, char> || std::is_same_v<Byte, unsigned char> ||
                                     std::is_same_v<Byte, std::byte>>>
  BytesView(const Container &bytes) noexcept : BytesView(bytes.data(), bytes.size()) {}
  BytesView(const char *) = delete;

  constexpr std::size_t size() const noexcept { return bytes_.size(); }
  constexpr bool empty() const noexcept { return bytes_.empty(); }
  /// The bytes, without a meaning as text.
  constexpr std::string_view chars() const noexcept { return bytes_; }

 private:
  std::string_view bytes_;
};

}  // namespace hmacd
