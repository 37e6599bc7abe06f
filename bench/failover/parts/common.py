"""What the systems have in common: plain PostgreSQL pieces, and the form every system has."""

import os
import shutil

from .nodes import NODES, PORT, POSTGRES_BIN, Trouble, give_to_postgres, wait_for, write_file

WRITER_PASSWORD = "bench"

# Left out by "default" configurations, which take the values that PostgreSQL's documentation names. Two promotions in ten sleep
# out the default of wal_retrieve_retry_interval (5 s) when they come within milliseconds of the primary's death.
TUNED_POSTGRES = {"wal_retrieve_retry_interval": "50ms"}


class System:
    """A way to keep a primary and a standby: comes up on two nodes and an arbiter, then looks after itself."""

    name = ""
    programs = []  # full paths or names; what is missing makes the system be left out
    packages = ""  # where they come from
    modes = ["async"]  # the first is the documented default
    configs = {}  # name -> what is set
    slow = {}  # config -> faults after which it waits out tens of seconds; --quick measures several of these at a time

    def __init__(self, world, config, mode):
        self.world, self.config, self.mode = world, config, mode
        self.first, self.second, self.arbiter = world.first, world.second, world.arbiter
        self.settings = self.configs[config]

    @classmethod
    def missing(cls):
        absent = [program for program in cls.programs if not shutil.which(program)]
        return f"{', '.join(absent)} not found (Debian packages: {cls.packages})" if absent else ""

    @property
    def tuned(self):
        return self.config != "default"

    def up(self):
        raise NotImplementedError

    def fault_done(self):
        """Called at once after a fault; only the floor does something here."""

    def socket(self, node):
        return "/run/postgresql"

    def sql(self, node, text, database="postgres", within=10):
        argv = [f"{POSTGRES_BIN}/psql", "-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.socket(node), "-p", str(PORT),
                "-U", "postgres", "-d", database, "-c", text]
        return node.run(argv, user="postgres", within=within).strip()

    def standby_of(self, node):
        """What the node says of its standby: "async", "sync" or "quorum"; empty when none streams."""
        try:
            return self.sql(node, "SELECT sync_state FROM pg_stat_replication WHERE state = 'streaming' AND NOT pg_is_in_recovery() "
                            "AND application_name NOT LIKE 'pg_basebackup%'")
        except Trouble:
            return ""

    def wait_for_pair(self, within=90):
        wanted = ["async"] if self.mode == "async" else ["sync", "quorum"]
        self.wait(f"a standby that streams in mode {self.mode}", within, lambda: self.standby_of(self.first) in wanted)

    def wait(self, what, within, condition):
        """For a step of coming up; ends at once when a program that was started has ended."""

        def done():
            for node in (self.first, self.second, self.arbiter):
                node.check_programs()
            return condition()

        wait_for(f"{self.name}: {what}", within, done, every=0.2)

    def furnish(self):
        """The writer's role, database and table."""
        if not self.sql(self.first, "SELECT 1 FROM pg_database WHERE datname = 'bench'"):
            self.sql(self.first, "CREATE DATABASE bench")
        self.sql(self.first, "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'bench') THEN "
                 f"CREATE ROLE bench; END IF; ALTER ROLE bench LOGIN PASSWORD '{WRITER_PASSWORD}'; END $$")
        self.sql(self.first, "CREATE TABLE bench_rows (writer text, row bigint, PRIMARY KEY (writer, row)); "
                 "ALTER TABLE bench_rows OWNER TO bench", database="bench")


def pg_ctl(node, data, words):
    return node.run([f"{POSTGRES_BIN}/pg_ctl", "-D", data, "-w", "-l", node.folder + "/postgres.log"] + words, user="postgres")


def make_cluster(node, data, settings, access):
    node.run([f"{POSTGRES_BIN}/initdb", "-D", data, "-U", "postgres", "--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8",
              "--auth-local=trust", "--auth-host=scram-sha-256"], user="postgres")
    append(data + "/postgresql.conf", "".join(f"{key} = '{value}'\n" for key, value in settings.items()))
    write_file(data + "/pg_hba.conf", "local all all trust\n" + access, 0o600)


def append(path, text):
    with open(path, "a", encoding="utf-8") as file:
        file.write(text)


def writer_access():
    return "host bench bench 0.0.0.0/0 scram-sha-256\n"


def make_folder(path):
    os.makedirs(path, mode=0o700, exist_ok=True)
    give_to_postgres(path)
    return path


__all__ = ["NODES", "PORT", "POSTGRES_BIN", "TUNED_POSTGRES", "System", "Trouble", "append", "give_to_postgres",
           "make_cluster", "make_folder", "pg_ctl", "wait_for", "write_file", "writer_access"]
