#include "agent/backup_files.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "agent/test_store.hpp"
#include "core/backup/expiry.hpp"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;

const BackupPaths kPaths{"/agent/pgbackrest.d"};

wire::RepositoryConfig repository() {
  wire::RepositoryConfig config;
  config.stanza = "database";
  config.backups.repository_path = "/backups";
  config.backups.cipher_pass = SecretRef{"backup-pass"};
  return config;
}

TEST(BackupFiles, OnlyTheRepositorysHostKnowsWhereItIsAndHowItIsEncrypted) {
  std::string member =
      member_section(kPaths, {"database", "10.0.0.9", "backup-eu", 8432, "s"}, "/data", "/socket", 5432);
  EXPECT_THAT(member, HasSubstr("repo1-host=10.0.0.9\n"));
  EXPECT_THAT(member, Not(HasSubstr("cipher")));
  EXPECT_THAT(member, Not(HasSubstr("repo1-path")));
  std::string kept = repository_section(repository(), {}, {{"backup-pass", "very secret"}});
  EXPECT_THAT(kept, HasSubstr("repo1-cipher-pass=very secret\n"));
  EXPECT_THAT(kept, HasSubstr("expire-auto=n\n"));
}

TEST(BackupFiles, AValueCannotBringALineOfItsOwn) {
  std::string kept = repository_section(repository(), {}, {{"backup-pass", "one\nrepo1-path=/elsewhere"}});
  EXPECT_THAT(kept, Not(HasSubstr("/elsewhere")));
}

TEST(BackupFiles, RetentionIsByNumberOrByDays) {
  EXPECT_THAT(repository_section(repository(), *backup::parse_retention("2 full 3 diff"), {}),
              testing::AllOf(HasSubstr("repo1-retention-full=2\n"), HasSubstr("repo1-retention-diff=3\n")));
  EXPECT_THAT(repository_section(repository(), *backup::parse_retention("14d"), {}),
              testing::AllOf(HasSubstr("repo1-retention-full-type=time\n"), HasSubstr("repo1-retention-full=14\n")));
}

TEST(BackupFiles, ASecondRepositoryAndObjectStoresAreConfigured) {
  wire::RepositoryConfig config = repository();
  SecondRepository second;
  second.path = "/more";
  second.store = ObjectStore{.bucket = "b",
                             .endpoint = "s3.test",
                             .region = "eu-1",
                             .key = {"id"},
                             .key_secret = SecretRef{"key"},
                             .expire_key = {},
                             .expire_key_secret = {},
                             .path_style = true};
  config.backups.second = second;
  EXPECT_EQ(secrets_of(config.backups), (std::vector<std::string>{"backup-pass", "id", "key"}));
  std::string text = repository_section(config, {}, {{"id", "AK"}, {"key", "SK"}});
  for (const char* wanted : {"repo2-path=/more\n", "repo2-type=s3\n", "repo2-s3-key=AK\n", "repo2-s3-key-secret=SK\n",
                             "repo2-s3-uri-style=path\n", "repo2-retention-full=4\n"})
    EXPECT_THAT(text, HasSubstr(wanted));
  config.backups.second->store->kind = ObjectStoreKind::azure;
  EXPECT_THAT(repository_section(config, {}, {{"id", "acc"}}), HasSubstr("repo2-azure-account=acc\n"));
}

TEST(BackupFiles, TheKeyThatExpiresStandsOnlyInWhatExpires) {
  wire::RepositoryConfig config = repository();
  config.backups.store = store_with_expiry_key();
  EXPECT_EQ(secrets_of(config.backups),
            (std::vector<std::string>{"backup-pass", "id", "key", "expiry-id", "expiry-key"}));
  const SecretTexts values{{"id", "WRITER"}, {"key", "writes"}, {"expiry-id", "REMOVER"}, {"expiry-key", "removes"}};
  std::string ordinary = repository_section(config, {}, values);
  EXPECT_THAT(ordinary, testing::AllOf(HasSubstr("repo1-s3-key=WRITER\n"), HasSubstr("repo1-s3-key-secret=writes\n")));
  EXPECT_THAT(ordinary, Not(testing::AnyOf(HasSubstr("REMOVER"), HasSubstr("removes"))));
  config.backups = backup::with_expiry_keys(config.backups);
  std::string expiry = repository_section(config, {}, values);
  EXPECT_THAT(expiry, testing::AllOf(HasSubstr("repo1-s3-key=REMOVER\n"), HasSubstr("repo1-s3-key-secret=removes\n")));
  EXPECT_THAT(expiry, Not(testing::AnyOf(HasSubstr("WRITER"), HasSubstr("writes"))));
  std::string nothing_whole = without_retention(expiry);
  EXPECT_THAT(expiry, HasSubstr("repo1-retention-full=4\n"));
  EXPECT_THAT(nothing_whole, testing::AllOf(Not(HasSubstr("retention")), HasSubstr("repo1-s3-key=REMOVER\n"),
                                            testing::EndsWith("archive-timeout=120\n")));
}

TEST(BackupFiles, ATokenOfAzureIsToldFromAnAccountsKey) {
  wire::RepositoryConfig config = repository();
  config.backups.store =
      ObjectStore{.kind = ObjectStoreKind::azure, .bucket = "b", .key = {"id"}, .key_secret = SecretRef{"key"}};
  EXPECT_THAT(repository_section(config, {}, {{"key", "bWFkZSB1cA=="}}),
              testing::AllOf(HasSubstr("repo1-azure-key=bWFkZSB1cA==\n"), Not(HasSubstr("key-type"))));
  EXPECT_THAT(repository_section(config, {}, {{"key", "?sv=2022-11-02&sp=rwl&sig=bWFkZQ%3D"}}),
              testing::AllOf(HasSubstr("repo1-azure-key=sv=2022-11-02&sp=rwl&sig=bWFkZQ%3D\n"),
                             HasSubstr("repo1-azure-key-type=sas\n")));
}

TEST(BackupFiles, MembersSendTheirLogToBothRepositoriesAndKnowNeitherOfThem) {
  wire::Archive archive{"database", "10.0.0.9", "backup-eu", 8432, "s"};
  EXPECT_THAT(member_section(kPaths, archive, "/data", "/socket", 5432), Not(HasSubstr("repo2-")));
  archive.second = true;
  std::string member = member_section(kPaths, archive, "/data", "/socket", 5432);
  for (const char* wanted : {"repo1-host=10.0.0.9\n", "repo2-host=10.0.0.9\n", "repo2-host-type=tls\n",
                             "repo2-host-port=8432\n", "repo2-host-cert-file=/agent/pgbackrest.d/host.crt\n"})
    EXPECT_THAT(member, HasSubstr(wanted));
  EXPECT_THAT(member, Not(testing::AnyOf(HasSubstr("-path=/more"), HasSubstr("cipher"), HasSubstr("s3"))));
}

TEST(BackupFiles, WhatConcernsOneRepositoryNamesTheOtherNowhere) {
  wire::RepositoryConfig config = repository();
  config.backups.second = SecondRepository{.path = "/more"};
  std::string both = repository_section(config, {}, {{"backup-pass", "very secret"}}) + "pg1-host=a\nlast=1";
  std::string first = with_repository_only(1, both), second = with_repository_only(2, both);
  EXPECT_THAT(first, testing::AllOf(HasSubstr("repo1-path=/backups\n"), Not(HasSubstr("repo2-"))));
  EXPECT_THAT(second, testing::AllOf(HasSubstr("repo2-path=/more\n"), Not(HasSubstr("repo1-"))));
  for (const std::string& one : {first, second})
    EXPECT_THAT(one, testing::AllOf(HasSubstr("expire-auto=n\n"), testing::EndsWith("pg1-host=a\nlast=1")));
}

// Case 52, cloudnative-pg#8846: a switchover waited for a slow archive until its time was over.
TEST(BackupFiles, AServerThatStopsArchivesNothingMore) {
  wire::Archive archive{"database", "10.0.0.9", "backup-eu", 8432, ""};
  EXPECT_THAT(archive_settings(archive, "/usr/bin/pgbackrest", kPaths, true),
              HasSubstr("archive_command = '/usr/bin/pgbackrest --config=/agent/pgbackrest.d/pgbackrest.conf"));
  std::string stopping = archive_settings(archive, "/usr/bin/pgbackrest", kPaths, false);
  EXPECT_THAT(stopping, HasSubstr("archive_command = ''\n"));
  // The mode cannot be changed without a restart, so it must stay as it is.
  EXPECT_THAT(stopping, HasSubstr("archive_mode = on\n"));
  EXPECT_THAT(archive_settings({}, "pgbackrest", kPaths, true), Not(HasSubstr("archive_mode")));
}

TEST(BackupFiles, EachNameInACertificateIsAllowedItsStanzasOnly) {
  std::string text = backup_global(kPaths, {"10.0.0.1", 8432, {{"db-1", {"a"}}, {"db-2", {"a", "b"}}}});
  EXPECT_THAT(text, HasSubstr("tls-server-auth=db-1=a\n"));
  EXPECT_THAT(text, HasSubstr("tls-server-auth=db-2=a,b\n"));
}

}  // namespace
}  // namespace lifeboat
