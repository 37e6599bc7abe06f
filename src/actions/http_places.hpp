// Where to ask over HTTP: an address, or a service of the plan the way users reach it or directly at its instances.
#pragma once

#include "actions/action.hpp"

namespace lifeboat {

BOOST_DEFINE_ENUM_CLASS(HttpCheckVia, entry, direct)

// What a step says about it; the same parameters in every action that asks.
struct HttpAsked {
  std::optional<Identifier> service;
  std::string url;
  std::optional<Identifier> region;
  HttpCheckVia via = HttpCheckVia::entry;
};

struct HttpPlace {
  std::string name;        // for people: "api in west"
  std::string url;         // without the path, unless the step gave a whole address
  std::string connect_to;  // address in place of the name in the URL
};

// Adds what is wrong with it: paths are /service, /url and /region.
void check_asked(const HttpAsked& asked, const Plan& plan, DecodeProblems& problems);

// At least one place. A dns service is looked up now.
Task<Result<std::vector<HttpPlace>>> http_places(ActionContext context, HttpAsked asked, Deadline deadline);

}  // namespace lifeboat
