// What is watched for. A signal is believed only when a quorum of vantage points says the same for long enough.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "core/data/describe.hpp"
#include "core/data/scalars.hpp"

namespace lifeboat {

// Every watched thing of a region stopped answering, seen from outside that region.
struct RegionLostSignal {
  static constexpr std::string_view kKind = "region-lost";
  Duration for_{5'000};
  Duration every{1'000};
  Duration within{1'000};
  int quorum = 2;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(RegionLostSignal, (), (for_, every, within, quorum, title))
constexpr auto field_docs(const RegionLostSignal*) {
  return std::to_array<FieldDoc>({
      {"for", Need::optional, "how long it must be seen before it is believed (5s)"},
      {"every", Need::optional, "time between two probes (1s)"},
      {"within", Need::optional, "time a probe may take (1s)"},
      {"quorum", Need::optional, "how many regions other than the lost one must see it (2)"},
      {"title", Need::optional, "its name for people"},
  });
}

// The users' endpoint fails or is too slow.
struct EndpointSignal {
  static constexpr std::string_view kKind = "endpoint";
  Identifier service;
  std::string path = "/health";
  Duration for_{10'000};
  Duration every{1'000};
  Duration within{2'000};
  int quorum = 2;
  std::string title;
};
BOOST_DESCRIBE_STRUCT(EndpointSignal, (), (service, path, for_, every, within, quorum, title))
constexpr auto field_docs(const EndpointSignal*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the dns, haproxy or http service asked"},
      {"path", Need::optional, "path asked (/health)"},
      {"for", Need::optional, "how long it must be seen before it is believed (10s)"},
      {"every", Need::optional, "time between two probes (1s)"},
      {"within", Need::optional, "time an answer may take (2s)"},
      {"quorum", Need::optional, "how many regions must see it (2)"},
      {"title", Need::optional, "its name for people"},
  });
}

// No member of a database can be written to.
struct DatabaseSignal {
  static constexpr std::string_view kKind = "database";
  Identifier service;
  Duration for_{1'000};
  std::string title;
};
BOOST_DESCRIBE_STRUCT(DatabaseSignal, (), (service, for_, title))
constexpr auto field_docs(const DatabaseSignal*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service"},
      {"for", Need::optional, "how long it must have no writable member (1s)"},
      {"title", Need::optional, "its name for people"},
  });
}

// The backups of a database would not bring back what the plan's RPO asks for: WAL does not get out of the primary's host in time, a
// backup is overdue, a segment is missing, or somebody tried to take backups away.
struct BackupSignal {
  static constexpr std::string_view kKind = "backups";
  Identifier service;
  Duration for_{60'000};
  std::string title;
};
BOOST_DESCRIBE_STRUCT(BackupSignal, (), (service, for_, title))
constexpr auto field_docs(const BackupSignal*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service; Lifeboat keeps its backups"},
      {"for", Need::optional, "how long it must be so (60s)"},
      {"title", Need::optional, "its name for people"},
  });
}

// Rows of a database are rewritten far faster than usual, or texts look encrypted that did not: an attacker, or a bug.
struct DataChangeSignal {
  static constexpr std::string_view kKind = "data-change";
  Identifier service;
  Duration every{10'000};
  Duration within{60'000};
  Percent rewritten{30};
  Percent encrypted{10};
  std::string title;
};
BOOST_DESCRIBE_STRUCT(DataChangeSignal, (), (service, every, within, rewritten, encrypted, title))
constexpr auto field_docs(const DataChangeSignal*) {
  return std::to_array<FieldDoc>({
      {"service", Need::required, "the postgres service whose data are looked at"},
      {"every", Need::optional, "time between two looks (10s)"},
      {"within", Need::optional, "window in which changed rows are counted (1m)"},
      {"rewritten", Need::optional, "share of a table's rows that is changed or deleted in the window (30%)"},
      {"encrypted", Need::optional, "share of a column's texts that looks encrypted, more than at first (10%)"},
      {"title", Need::optional, "its name for people"},
  });
}

// Raised by a person or a webhook, never by a probe.
struct RaisedSignal {
  static constexpr std::string_view kKind = "raised";
  std::string title;
  std::vector<std::string> sources;
};
BOOST_DESCRIBE_STRUCT(RaisedSignal, (), (title, sources))
constexpr auto field_docs(const RaisedSignal*) {
  return std::to_array<FieldDoc>({
      {"title", Need::optional, "what it means"},
      {"sources", Need::optional, "who or what raises it, in words"},
  });
}

using Signal =
    std::variant<RegionLostSignal, EndpointSignal, DatabaseSignal, BackupSignal, DataChangeSignal, RaisedSignal>;

}  // namespace lifeboat
