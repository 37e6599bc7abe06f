// Reads little-endian numbers out of bytes that may be damaged: outside of them everything is 0, and `good` says so.
#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

namespace lifeboat::forensics {

template <class T>
T number_at(std::string_view bytes, size_t offset) {
  T out{};
  if (offset <= bytes.size() && bytes.size() - offset >= sizeof(T)) std::memcpy(&out, bytes.data() + offset, sizeof(T));
  return out;
}

class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  template <class T>
  T take() {
    if (rest_.size() < sizeof(T)) {
      good_ = false;
      rest_ = {};
      return T{};
    }
    T out = number_at<T>(rest_, 0);
    rest_.remove_prefix(sizeof(T));
    return out;
  }
  std::string_view take_bytes(size_t count) {
    if (rest_.size() < count) {
      good_ = false;
      rest_ = {};
      return {};
    }
    std::string_view out = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return out;
  }
  bool good() const { return good_; }
  size_t left() const { return rest_.size(); }
  std::string_view rest() const { return rest_; }

 private:
  std::string_view rest_;
  bool good_ = true;
};

}  // namespace lifeboat::forensics
