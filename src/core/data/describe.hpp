// One description of a struct serves decoding, encoding, JSON Schema and the reference pages.
//
// A struct takes part by BOOST_DESCRIBE_STRUCT (its members) and a function `field_docs(const T*)` found next to it,
// which says of each member, in the same order, whether it is required and what it means:
//
//   struct HttpCheck { std::string url; Duration within{5000}; };
//   BOOST_DESCRIBE_STRUCT(HttpCheck, (), (url, within))
//   constexpr auto field_docs(const HttpCheck*) {
//     return std::to_array<FieldDoc>({{"url", Need::required, "address asked"},
//                                     {"within", Need::optional, "time allowed for the answer"}});
//   }
//
// Member names with '_' are the same in documents. A trailing '_' (for words C++ keeps for itself: if_) is dropped.
#pragma once

#include <boost/describe.hpp>
#include <boost/mp11/algorithm.hpp>

#include <array>
#include <string>
#include <string_view>

namespace lifeboat {

enum class Need { required, optional };

struct FieldDoc {
  std::string_view name;
  Need need;
  std::string_view text;
};

template <class T>
concept Described = boost::describe::has_describe_members<T>::value && requires(const T* p) { field_docs(p); };

template <class T>
concept DescribedEnum = boost::describe::has_describe_enumerators<T>::value;

template <class T>
using MembersOf = boost::describe::describe_members<T, boost::describe::mod_any_access>;

// The name of a member as documents write it.
constexpr std::string_view field_name(std::string_view member) {
  if (member.ends_with('_')) member.remove_suffix(1);
  return member;
}

// The name of an enumerator as documents write it: '_' becomes '-', a trailing '_' is dropped.
inline std::string enumerator_name(std::string_view name) {
  std::string out{field_name(name)};
  for (char& c : out) {
    if (c == '_') c = '-';
  }
  return out;
}

template <DescribedEnum E>
std::string enum_name(E value) {
  std::string out = "?";
  boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>([&](auto d) {
    if (d.value == value) out = enumerator_name(d.name);
  });
  return out;
}

// Checked at compile time: docs and members name the same things in the same order.
template <Described T>
consteval bool docs_match_members() {
  constexpr auto docs = field_docs(static_cast<const T*>(nullptr));
  bool match = docs.size() == boost::mp11::mp_size<MembersOf<T>>::value;
  size_t index = 0;
  boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
    if (index < docs.size() && docs[index].name != field_name(d.name)) match = false;
    ++index;
  });
  return match;
}

}  // namespace lifeboat
