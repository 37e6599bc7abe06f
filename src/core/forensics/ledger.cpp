#include "core/forensics/ledger.hpp"

#include <algorithm>

namespace lifeboat::forensics {
namespace {

TableChange* change_of(Transaction& work, const FileRef& file) {
  // The file changed last comes first to mind: rows of one statement follow each other.
  if (!work.changes.empty() && work.changes.back().file == file) return &work.changes.back();
  for (TableChange& change : work.changes) {
    if (change.file == file) return &change;
  }
  if (work.changes.size() >= Ledger::kMostFiles) return nullptr;
  work.changes.push_back({.file = file});
  return &work.changes.back();
}

MadeFile* made_by(Transaction& work, const FileRef& file) {
  for (auto one = work.made.rbegin(); one != work.made.rend(); ++one) {
    if (one->file == file) return &*one;
  }
  return nullptr;
}

void add_rows(Transaction& work, const TableChange& more) {
  if (TableChange* change = change_of(work, more.file)) {
    change->inserted += more.inserted;
    change->updated += more.updated;
    change->deleted += more.deleted;
  } else {
    work.unlisted_rows += more.rows();
  }
}

void take_over(Transaction& parent, Transaction child) {
  if (child.first.value != 0 && (parent.first.value == 0 || child.first < parent.first)) parent.first = child.first;
  for (const TableChange& change : child.changes) add_rows(parent, change);
  auto append = [](auto& into, auto& from) { into.insert(into.end(), from.begin(), from.end()); };
  append(parent.made, child.made);
  append(parent.truncated, child.truncated);
  append(parent.locked, child.locked);
  append(parent.databases, child.databases);
  parent.bytes += child.bytes;
  parent.unlisted_rows += child.unlisted_rows;
}

bool earlier(uint32_t one, uint32_t other) { return static_cast<int32_t>(one - other) < 0; }

}  // namespace

uint64_t Transaction::rows() const {
  uint64_t sum = unlisted_rows;
  for (const TableChange& change : changes) sum += change.rows();
  return sum;
}

Transaction& Ledger::at_work(const Record& record) {
  auto [found, fresh] = open_.try_emplace(record.xid);
  if (fresh) {
    found->second.xid = record.xid;
    found->second.first = record.lsn;
    order_.push_back(record.xid);
  }
  found->second.bytes += record.bytes;
  return found->second;
}

void Ledger::note(const Record& record) {
  Transaction& work = at_work(record);
  switch (record.what) {
    case What::inserted:
    case What::updated:
    case What::deleted:
    case What::taken_back: {
      if (!record.file) return;
      if (!work.made.empty()) {
        if (MadeFile* made = made_by(work, *record.file)) made->rows += record.rows;
      }
      TableChange* change = change_of(work, *record.file);
      if (change == nullptr) {
        work.unlisted_rows += record.rows;
      } else if (record.what == What::inserted) {
        change->inserted += record.rows;
      } else if (record.what == What::updated) {
        change->updated += record.rows;
      } else if (record.what == What::deleted) {
        change->deleted += record.rows;
      } else if (change->inserted > 0) {
        --change->inserted;
      }
      return;
    }
    case What::page_image:
      if (record.file && record.main_fork) {
        if (MadeFile* made = made_by(work, *record.file)) made->pages += record.rows;
      }
      return;
    case What::file_created:
      if (record.main_fork && work.made.size() < kMostFiles)
        work.made.push_back({.file = *record.file, .object = work.locked.empty() ? 0 : work.locked.back().oid});
      return;
    case What::truncated:
      for (ObjectRef object : record.objects) {
        // The record names no database; the lock that was taken before it does.
        auto lock = std::ranges::find(work.locked, object.oid, &ObjectRef::oid);
        if (lock != work.locked.end()) object.database = lock->database;
        work.truncated.push_back(object);
      }
      return;
    case What::locked:
      if (work.locked.size() < kMostFiles) work.locked.push_back(record.objects.front());
      return;
    case What::database_dropped: work.databases.push_back({record.file->database, record.lsn, record.prev}); return;
    default: return;
  }
}

Transaction Ledger::close(const Record& record) {
  auto take = [&](uint32_t xid) {
    Transaction out;
    auto found = open_.find(xid);
    if (found == open_.end()) return out;
    out = std::move(found->second);
    open_.erase(found);
    return out;
  };
  Transaction out = take(record.xid);
  for (uint32_t child : record.children) take_over(out, take(child));
  out.xid = record.xid;
  out.commit = record.lsn;
  out.before = record.prev;
  out.commit_bytes = record.bytes;
  out.bytes += record.bytes;
  if (out.first.value == 0) out.first = record.lsn;
  out.at = *record.at;
  out.latest_before = latest_;
  for (const FileRef& file : record.files) {
    if (made_by(out, file) == nullptr) out.gone.push_back(file);
  }
  for (const ObjectRef& object : record.objects) {
    // What was made and dropped again in one go (the helper table of a rewrite) was never there for anybody else.
    bool own = std::ranges::any_of(out.made, [&](const MadeFile& made) {
      return made.file.database == object.database && made.file.node == object.oid;
    });
    if (!own) out.dropped.push_back(object);
  }
  return out;
}

void Ledger::forget_before(uint32_t oldest) {
  // The server says that nobody older is at work: what is still open here was cut off by a crash.
  while (!order_.empty()) {
    uint32_t xid = order_.front();
    if (open_.contains(xid)) {
      if (!earlier(xid, oldest)) return;
      open_.erase(xid);
      ++aborted;
    }
    order_.pop_front();
  }
}

void Ledger::make_room() {
  while (open_.size() > kMostOpen && !order_.empty()) {
    forgotten += open_.erase(order_.front());
    order_.pop_front();
  }
  // Ends come in any order, so the list of beginnings holds many that are long gone.
  if (order_.size() > 2 * kMostOpen) std::erase_if(order_, [&](uint32_t xid) { return !open_.contains(xid); });
}

std::optional<Transaction> Ledger::feed(const Record& record) {
  ++records;
  if (record.at && (record.what == What::committed || record.what == What::aborted)) {
    std::optional<Transaction> out;
    if (record.what == What::committed) {
      out = close(record);
      ++committed;
    } else {
      open_.erase(record.xid);
      for (uint32_t child : record.children) open_.erase(child);
      ++aborted;
    }
    latest_ = std::max(latest_, *record.at);
    return out;
  }
  if (record.what == What::running) {
    forget_before(record.oldest);
    return std::nullopt;
  }
  if (record.xid == 0) return std::nullopt;
  note(record);
  make_room();
  return std::nullopt;
}

}  // namespace lifeboat::forensics
