// A map that keeps the order in which a person wrote the entries.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace lifeboat {

template <class T>
class OrderedMap {
 public:
  using Entry = std::pair<std::string, T>;

  const T* find(std::string_view name) const {
    for (const Entry& entry : entries_) {
      if (entry.first == name) return &entry.second;
    }
    return nullptr;
  }
  T* find(std::string_view name) { return const_cast<T*>(std::as_const(*this).find(name)); }
  bool contains(std::string_view name) const { return find(name) != nullptr; }
  // Adds at the end; the caller has made sure that the name is new.
  T& add(std::string name, T value) { return entries_.emplace_back(std::move(name), std::move(value)).second; }
  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const Entry& entry : entries_) out.push_back(entry.first);
    return out;
  }
  bool empty() const { return entries_.empty(); }
  size_t size() const { return entries_.size(); }
  auto begin() const { return entries_.begin(); }
  auto end() const { return entries_.end(); }
  auto begin() { return entries_.begin(); }
  auto end() { return entries_.end(); }

 private:
  std::vector<Entry> entries_;
};

// The same with any text for a name: tables, columns and whatever else others have named.
template <class T>
class TextMap : public OrderedMap<T> {};

}  // namespace lifeboat
