// Described structs → JSON. Empty optionals, lists and maps are left out; decode() of the result gives the value back.
#pragma once

#include <variant>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

inline Json encode(const std::string& value) { return Json(value); }
inline Json encode(bool value) { return Json(value); }
inline Json encode(int value) { return Json(value); }
inline Json encode(int64_t value) { return Json(value); }
inline Json encode(uint64_t value) { return Json(value); }
inline Json encode(double value) { return Json(value); }
inline Json encode(const Json& value) { return value; }
template <TextScalar T>
Json encode(const T& value) {
  return Json(ScalarText<T>::format(value));
}
template <DescribedEnum E>
Json encode(E value) {
  return Json(enum_name(value));
}
template <class T>
Json encode(const std::optional<T>& value);
template <class T>
Json encode(const std::vector<T>& list);
template <class T>
Json encode(const OrderedMap<T>& map);
template <class... Ts>
Json encode(const std::variant<Ts...>& choice);
template <Described T>
Json encode(const T& value);

template <class T>
Json encode(const std::optional<T>& value) {
  return value ? encode(*value) : Json(nullptr);
}
template <class T>
Json encode(const std::vector<T>& list) {
  JsonArray out;
  for (const T& element : list) out.push_back(encode(element));
  return out;
}
template <class T>
Json encode(const OrderedMap<T>& map) {
  JsonObject out;
  for (const auto& [name, value] : map) out[name] = encode(value);
  return out;
}
template <class... Ts>
Json encode(const std::variant<Ts...>& choice) {
  return std::visit(
      [](const auto& value) {
        Json out = encode(value);
        out.as_object()["kind"] = std::remove_cvref_t<decltype(value)>::kKind;
        return out;
      },
      choice);
}
template <Described T>
Json encode(const T& value) {
  JsonObject out;
  boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
    Json member_value = encode(value.*d.pointer);
    bool empty = member_value.is_null() || (member_value.is_array() && member_value.get_array().empty()) ||
                 (member_value.is_object() && member_value.get_object().empty());
    if (!empty) out[field_name(d.name)] = std::move(member_value);
  });
  return out;
}

}  // namespace lifeboat
