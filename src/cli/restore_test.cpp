#include "cli/restore.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/exit_codes.hpp"

namespace lifeboat::cli {
namespace {

using testing::HasSubstr;

RestoreOptions latest() {
  RestoreOptions out{.service = "database", .into = "isolated", .by = "ada"};
  out.target.latest = true;
  return out;
}
std::string refusal(const RestoreOptions& options) {
  auto fits = fits_an_order(options);
  return fits ? std::string() : fits.error().text();
}

TEST(OrderRestore, WhatTheControllerCanDoFits) {
  RestoreOptions options = latest();
  options.again = options.accept_gap = true;
  options.name = "undo";
  options.repository_number = 2;
  options.within = "2h";
  EXPECT_EQ(refusal(options), "");
  options.into = "replace";
  options.on = "east-2";
  options.unchecked = true;
  EXPECT_EQ(refusal(options), "");
}

TEST(OrderRestore, AnOptionThatItCannotCarryOutIsNamedAndNothingIsOrdered) {
  auto with = [](auto change) {
    RestoreOptions options = latest();
    change(options);
    return options;
  };
  EXPECT_THAT(refusal(with([](auto& one) { one.promote = true; })), HasSubstr("--promote"));
  EXPECT_THAT(refusal(with([](auto& one) { one.processes = 8; })), HasSubstr("--processes"));
  EXPECT_THAT(refusal(with([](auto& one) { one.superuser = "root"; })), HasSubstr("--superuser"));
  EXPECT_THAT(refusal(with([](auto& one) { one.user = "root"; })), HasSubstr("--run-as"));
  EXPECT_THAT(refusal(with([](auto& one) { one.unchecked = true; })), HasSubstr("--unchecked"));
  EXPECT_THAT(refusal(with([](auto& one) { one.stanza = "main"; })), HasSubstr("--stanza"));
  EXPECT_THAT(refusal(with([](auto& one) { one.on = "east-2"; })), HasSubstr("--on"));
  // A controller that nobody could reach would be another exit code.
  Client nobody({.controller = "http://127.0.0.1:1"});
  testing::internal::CaptureStderr();
  EXPECT_EQ(order_restore(nobody, with([](auto& one) { one.promote = true; }), {}), kBadInput);
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("--promote"));
}

}  // namespace
}  // namespace lifeboat::cli
