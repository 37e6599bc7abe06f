#include "core/forensics/names.hpp"

#include <gtest/gtest.h>

#include <cstring>

namespace lifeboat::forensics {
namespace {

constexpr uint32_t kDatabase = 16384, kClass = 1259;

template <class T>
void put(std::string& bytes, size_t at, T value) {
  if (bytes.size() < at + sizeof value) bytes.resize(at + sizeof value, '\0');
  std::memcpy(bytes.data() + at, &value, sizeof value);
}
template <class T>
void append(std::string& bytes, T value) {
  put(bytes, bytes.size(), value);
}

// The columns of a row of pg_class.
std::string class_data(uint32_t oid, std::string_view name, uint32_t node, char kind = 'r') {
  std::string out(140, '\0');
  put(out, 0, oid);
  std::memcpy(out.data() + 4, name.data(), name.size());
  put(out, 68, uint32_t{2200});
  put(out, 88, node);
  put(out, 100, 500.0f);
  out[114] = 'p';
  out[115] = kind;
  return out;
}

// A heap page with these rows, each under its own number of transaction.
std::string page_of(const std::vector<std::pair<uint32_t, std::string>>& rows) {
  std::string page(kPageSize, '\0');
  size_t upper = kPageSize;
  for (size_t index = 0; index < rows.size(); ++index) {
    std::string tuple(24, '\0');
    put(tuple, 0, rows[index].first);
    put(tuple, 22, uint8_t{24});
    tuple += rows[index].second;
    upper = (upper - tuple.size()) / 8 * 8;
    std::memcpy(page.data() + upper, tuple.data(), tuple.size());
    put(page, 24 + 4 * index, static_cast<uint32_t>(upper) | 1u << 15 | static_cast<uint32_t>(tuple.size()) << 17);
  }
  put(page, 12, static_cast<uint16_t>(24 + 4 * rows.size()));
  put(page, 14, static_cast<uint16_t>(upper));
  put(page, 16, static_cast<uint16_t>(kPageSize));
  return page;
}

struct Parts {
  uint8_t manager = 10;
  uint8_t info = 0;
  std::string image;  // whole page
  std::string data;
  std::string main;
  uint32_t block = 3;
};

std::string record_of(const Parts& parts) {
  std::string body;
  append(body, uint8_t{0});
  append(body, static_cast<uint8_t>((parts.image.empty() ? 0 : 0x10) | (parts.data.empty() ? 0 : 0x20)));
  append(body, static_cast<uint16_t>(parts.data.size()));
  if (!parts.image.empty()) {
    append(body, static_cast<uint16_t>(parts.image.size()));
    append(body, uint16_t{0});
    append(body, uint8_t{0x02});
  }
  for (uint32_t number : {1663u, kDatabase, kClass, parts.block}) append(body, number);
  append(body, uint8_t{255});
  append(body, static_cast<uint8_t>(parts.main.size()));
  body += parts.image + parts.data + parts.main;
  std::string out(24, '\0');
  put(out, 0, static_cast<uint32_t>(24 + body.size()));
  put(out, 4, uint32_t{700});
  put(out, 16, parts.info);
  put(out, 17, parts.manager);
  return out + body;
}

std::string insert_of(const std::string& columns, uint16_t offset) {
  std::string data;
  append(data, uint32_t{0});
  append(data, uint8_t{24});
  data += '\0';
  std::string main;
  append(main, offset);
  append(main, uint8_t{0});
  return record_of({.data = data + columns, .main = main});
}

NameBook book() {
  NameBook names;
  names.add_database(kDatabase, "app");
  return names;
}

TEST(ForensicsNames, AnInsertedRowOfTheCatalogueTellsAName) {
  NameBook names = book();
  ASSERT_TRUE(names.learn(insert_of(class_data(16'400, "orders", 16'400), 5), Lsn{100}, 15));
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'400}, Lsn{200}), "app.public.orders");
  const Table* table = names.find(ObjectRef{kDatabase, 16'400}, Lsn{200});
  ASSERT_NE(table, nullptr);
  EXPECT_EQ(table->rows, 500);
}

TEST(ForensicsNames, AWholePageTellsAllThatStandInItAlsoTheDead) {
  NameBook names = book();
  std::string page = page_of({{700, class_data(16'400, "orders", 16'400)}, {710, class_data(16'410, "items", 16'410)}});
  ASSERT_TRUE(names.learn(record_of({.info = 0x10, .image = page, .main = std::string(8, '\0')}), Lsn{100}, 15));
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'410}, Lsn{200}), "app.public.items");
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'400}, Lsn{200}), "app.public.orders");
}

TEST(ForensicsNames, ARowLoggedAsADifferenceIsCompletedFromTheOneBefore) {
  NameBook names = book();
  std::string before = class_data(16'400, "orders", 16'400), after = class_data(16'400, "orders", 16'555);
  ASSERT_TRUE(names.learn(insert_of(before, 5), Lsn{100}, 15));
  // As PostgreSQL does it: what equals the row before at its beginning and end is left out.
  uint16_t prefix = 0, suffix = 0;
  while (before[prefix] == after[prefix]) ++prefix;
  while (before[before.size() - 1 - suffix] == after[after.size() - 1 - suffix]) ++suffix;
  std::string data;
  append(data, prefix);
  append(data, suffix);
  append(data, uint32_t{0});
  append(data, uint8_t{24});
  data += '\0';
  data += after.substr(prefix, after.size() - prefix - suffix);
  std::string main(14, '\0');
  put(main, 4, uint16_t{5});
  put(main, 7, uint8_t{0x60});
  put(main, 12, uint16_t{9});
  ASSERT_TRUE(names.learn(record_of({.info = 0x40, .data = data, .main = main}), Lsn{150}, 15));
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'555}, Lsn{200}), "app.public.orders");
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'400}, Lsn{120}), "app.public.orders");
}

TEST(ForensicsNames, ATableIsNamedAsItWasCalledThen) {
  NameBook names = book();
  ASSERT_TRUE(names.learn(insert_of(class_data(16'400, "orders", 16'400), 5), Lsn{100}, 15));
  ASSERT_TRUE(names.learn(insert_of(class_data(16'400, "orders_old", 16'400), 6), Lsn{300}, 15));
  FileRef file{1663, kDatabase, 16'400};
  EXPECT_EQ(names.say(file, Lsn{200}), "app.public.orders");
  EXPECT_EQ(names.say(file, Lsn{300}), "app.public.orders_old");
  EXPECT_EQ(names.say(file, Lsn{50}), "app.public.orders");
}

TEST(ForensicsNames, LongValuesAndHelpersOfARewriteBelongToTheirTable) {
  NameBook names = book();
  ClassRow table, toast;
  table.oid = table.node = 16'400, table.name = "orders", table.schema = 2200, table.kind = 'r';
  toast.oid = toast.node = 16'403, toast.name = "pg_toast_16400", toast.schema = 99, toast.kind = 't';
  names.add_class(kDatabase, table, {});
  names.add_class(kDatabase, toast, {});
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'403}, Lsn{1}), "app.public.orders");
}

TEST(ForensicsNames, WhatIsNotKnownIsSaidByItsNumbers) {
  NameBook names = book();
  EXPECT_EQ(names.say(FileRef{1663, kDatabase, 16'400}, Lsn{1}),
            "a table of app whose name is not known (file 1663/16384/16400)");
}

TEST(ForensicsNames, CutAndDamagedRecordsAreSurvived) {
  std::string whole = insert_of(class_data(16'400, "orders", 16'400), 5);
  for (size_t length = 0; length < whole.size(); ++length) {
    NameBook names = book();
    EXPECT_FALSE(names.learn(std::string_view(whole).substr(0, length), Lsn{1}, 15));
  }
  std::string page = page_of({{700, class_data(16'400, "orders", 16'400)}});
  for (size_t at = 0; at < 64; ++at) {
    for (unsigned value : {0x00u, 0x7fu, 0xffu}) {
      std::string damaged = page;
      damaged[at] = static_cast<char>(value);
      for (const PageRow& row : rows_of_page(damaged)) EXPECT_LE(row.data.size(), kPageSize);
      std::string record = whole;
      record[std::min(at, record.size() - 1)] = static_cast<char>(value);
      NameBook names = book();
      names.learn(record, Lsn{1}, 15);
    }
  }
}

TEST(ForensicsNames, PackedPagesAreExpandedAndDamagedOnesRefused) {
  // Two letters as they are, then a copy of six from two back.
  std::string packed(
      "\x04"
      "ab\x03\x02",
      5);
  EXPECT_EQ(expand_pglz(packed, 8), "abababab");
  EXPECT_FALSE(expand_pglz(packed, 9));
  std::string back_too_far("\x01\x03\x02", 3);
  EXPECT_FALSE(expand_pglz(back_too_far, 6));
}

TEST(ForensicsNames, ARecordIsReadOverTheHeadersOfItsPages) {
  constexpr uint64_t kSegment = 1 << 20;
  std::string log(3 * 8192, 'h');
  for (size_t at = 0; at < log.size(); ++at) {
    size_t header = at < 8192 ? 40 : 24;
    if (at % 8192 >= header) log[at] = 'r';
  }
  auto read = [&](Lsn at, uint64_t count) {
    return at.value > log.size() ? std::string() : log.substr(at.value, count);
  };
  std::string bytes = record_bytes(Lsn{8'000}, 9'000, kSegment, read);
  EXPECT_EQ(bytes, std::string(9'000, 'r'));
  EXPECT_EQ(record_end(Lsn{8'000}, 9'000, kSegment), Lsn{17'048});
  EXPECT_EQ(record_end(Lsn{8'000}, 192, kSegment), Lsn{8'192});
  EXPECT_EQ(record_bytes(Lsn{24'000}, 9'000, kSegment, read).size(), 576u);
}

TEST(ForensicsNames, TheMapOfFilesTellsWhereACatalogueMovedTo) {
  std::string map;
  append(map, uint32_t{0x592717});
  append(map, uint32_t{1});
  append(map, kClass);
  append(map, uint32_t{16'999});
  NameBook names = book();
  EXPECT_FALSE(names.tells_names({1663, kDatabase, 16'999}));
  names.add_map(kDatabase, read_map(map));
  EXPECT_TRUE(names.tells_names({1663, kDatabase, 16'999}));
  EXPECT_TRUE(read_map("nonsense").empty());
}

}  // namespace
}  // namespace lifeboat::forensics
