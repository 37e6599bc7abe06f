// Described structs → JSON Schema (draft 2020-12), from the same description that the decoder uses.
#pragma once

#include <variant>

#include "core/data/describe.hpp"
#include "core/data/json.hpp"
#include "core/data/ordered_map.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

template <class T>
struct SchemaOf;

template <class T>
Json schema_of() {
  return SchemaOf<T>::make();
}

template <>
struct SchemaOf<std::string> {
  static Json make() { return {{"type", "string"}}; }
};
template <>
struct SchemaOf<bool> {
  static Json make() { return {{"type", "boolean"}}; }
};
template <>
struct SchemaOf<double> {
  static Json make() { return {{"type", "number"}}; }
};
template <>
struct SchemaOf<Json> {
  static Json make() { return JsonObject{}; }
};
template <class T>
  requires std::is_integral_v<T>
struct SchemaOf<T> {
  static Json make() { return {{"type", "integer"}}; }
};
template <TextScalar T>
struct SchemaOf<T> {
  static Json make() {
    return {{"type", "string"}, {"pattern", ScalarText<T>::kPattern}, {"title", ScalarText<T>::kName}};
  }
};
template <DescribedEnum E>
struct SchemaOf<E> {
  static Json make() {
    JsonArray names;
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<E>>(
        [&](auto d) { names.push_back(Json(enumerator_name(d.name))); });
    return {{"enum", names}};
  }
};
template <class T>
struct SchemaOf<std::optional<T>> {
  static Json make() { return schema_of<T>(); }
};
template <class T>
struct SchemaOf<std::vector<T>> {
  static Json make() { return {{"type", "array"}, {"items", schema_of<T>()}}; }
};
template <class T>
struct SchemaOf<OrderedMap<T>> {
  static Json make() {
    return {{"type", "object"},
            {"propertyNames", {{"pattern", ScalarText<Identifier>::kPattern}}},
            {"additionalProperties", schema_of<T>()}};
  }
};
template <class... Ts>
struct SchemaOf<std::variant<Ts...>> {
  static Json make() {
    JsonArray choices;
    (choices.push_back(with_kind<Ts>()), ...);
    return {{"oneOf", choices}};
  }
  template <class T>
  static Json with_kind() {
    Json schema = schema_of<T>();
    schema.as_object()["properties"].as_object()["kind"] = {{"const", T::kKind}};
    schema.as_object()["required"].as_array().push_back("kind");
    return schema;
  }
};
template <Described T>
struct SchemaOf<T> {
  static Json make() {
    constexpr auto docs = field_docs(static_cast<const T*>(nullptr));
    JsonObject properties;
    JsonArray required;
    size_t index = 0;
    boost::mp11::mp_for_each<MembersOf<T>>([&](auto d) {
      using Member = std::remove_cvref_t<decltype(std::declval<T>().*d.pointer)>;
      Json schema = schema_of<Member>();
      schema.as_object()["description"] = docs[index].text;
      properties[field_name(d.name)] = std::move(schema);
      if (docs[index].need == Need::required) required.push_back(Json(field_name(d.name)));
      ++index;
    });
    return {{"type", "object"}, {"properties", properties}, {"required", required}, {"additionalProperties", false}};
  }
};

}  // namespace lifeboat
