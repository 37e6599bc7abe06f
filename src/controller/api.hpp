// The controller's HTTP API. All routes stand in one table, each with the method it takes; every one of them needs the
// bearer token but the health check. Bodies are decoded closed-world; errors are JSON {error, kind, hint}.
//
//   GET  /health                               200 while the process answers
//   GET  /api/status                           databases, regions, signals, runs, drills
//   GET  /api/runs                             all runs, oldest first
//   POST /api/runs                             {scenario, by, vars, reason} → {id}
//   GET  /api/runs/ID                          state, steps, clocks, questions
//   POST /api/runs/ID/VERB                     {step, by, reason}; approve decline confirm pause resume abort skip retry
//   GET  /api/runs/ID/report?format=           markdown, html or json
//   GET  /api/events?after=N&run=ID&limit=M    journal events
//   GET  /api/journal/verify                   whether the hash chain holds
//   POST /api/signals                          {signal, subject, by, text}
//   POST /api/acknowledge                      {by, text}: what was done by itself counts no more
//   POST /api/preview                          {scenario, vars, plan_hash}
//   GET  /api/drills                           {drills: [each of the plan's calendar, and when it is due]}
//   POST /api/drills/NAME/done                 DrillDone: it was held where this controller did not see it
//   GET  /api/backups                          {services: {NAME: status, last order and dumps}}
//   GET  /api/backups/SERVICE                  every backup that is there, the archive, and dumps
//   GET  /api/backups/SERVICE/job              how the last order goes
//   POST /api/backups/SERVICE/VERB             {by, type, looked_at}; take, verify, expire → {number}
//   GET  /api/restores/SERVICE                 restored copies and what is kept as evidence, by host
//   GET  /api/restores/SERVICE/job             how the last order goes
//   POST /api/restores/SERVICE/VERB            RestoreBody; restore, stop, forensics, clean-point → {number}
//   POST /api/witness                          {error_rate, p95_ms, rps, reach_ms}: what users see now
#pragma once

#include "controller/backups.hpp"
#include "controller/databases.hpp"
#include "controller/drill_book.hpp"
#include "controller/dumps.hpp"
#include "controller/executor.hpp"
#include "controller/incidents.hpp"
#include "controller/orphan_book.hpp"
#include "controller/restores.hpp"
#include "controller/watch.hpp"
#include "io/http_server.hpp"
#include "store/store.hpp"

namespace lifeboat {

struct ApiParts {
  const Plan& plan;
  std::string plan_hash;
  std::string profile;
  std::string token;
  bool drill = false;
  Store& store;
  World& world;
  DatabaseKeeper& databases;
  OrphanBook& orphans;
  BackupKeeper& backups;
  DumpKeeper& dumps;
  RestoreKeeper& restores;
  Watch& watch;
  IncidentBook& incidents;
  RunExecutor& runs;
  DrillBook& drills;
  std::string host;  // of this controller
};

class Api {
 public:
  explicit Api(ApiParts parts);
  Task<HttpReply> answer(HttpIncoming request);

 private:
  ApiParts parts_;

  Task<Result<Json>> route(const HttpIncoming& request, const Json& body);
  Json status() const;
  Json run_page(const std::string& id) const;
  Task<Result<Json>> events(const HttpIncoming& request);
  Task<Result<Json>> say(std::string id, std::string verb, Json body);
  Task<Result<Json>> backups(const HttpIncoming& request, Json body);
  Task<Result<Json>> restores(const HttpIncoming& request, Json body);
  Task<Result<Json>> acknowledge(Json body);
  Task<Result<Json>> preview(Json body);
  Task<HttpReply> report(const HttpIncoming& request, std::string id);
};

}  // namespace lifeboat
