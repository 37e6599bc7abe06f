"""pg_auto_failover: a keeper on each database node, its monitor on the arbiter."""

from .common import POSTGRES_BIN, TUNED_POSTGRES, System, append, writer_access
from .nodes import PORT, Trouble

MONITOR_DATABASE = "pg_auto_failover"


class PgAutoFailover(System):
    name = "pg_auto_failover"
    packages = "pg-auto-failover-cli postgresql-15-auto-failover"
    programs = ["pg_autoctl", POSTGRES_BIN + "/postgres"]
    modes = ["sync", "async"]
    slow = {"default": ["kill-node", "cut-node", "stop-server"]}
    configs = {
        "default": {"monitor": {}, "keeper": {}},
        # The monitor waits for as long as a primary that is cut off may go on writing, so the two times go together.
        "tuned": {"monitor": {"node_considered_unhealthy_timeout": "4s", "health_check_period": "1s",
                              "health_check_timeout": "1s", "health_check_max_retries": "1",
                              "health_check_retry_delay": "500ms", "primary_demote_timeout": "3s",
                              "startup_grace_period": "2s"},
                  "keeper": {"timeout.network_partition_timeout": "3", "timeout.postgresql_restart_failure_timeout": "2",
                             "timeout.postgresql_restart_failure_max_retries": "1"}},
        "extreme (one missed report)": {
            "monitor": {"node_considered_unhealthy_timeout": "1500ms", "health_check_period": "500ms",
                        "health_check_timeout": "500ms", "health_check_max_retries": "0",
                        "health_check_retry_delay": "100ms", "primary_demote_timeout": "1s", "startup_grace_period": "1s"},
            "keeper": {"timeout.network_partition_timeout": "1", "timeout.postgresql_restart_failure_timeout": "1",
                       "timeout.postgresql_restart_failure_max_retries": "0"}},
    }

    @classmethod
    def missing(cls):
        import os
        absent = super().missing()
        if not absent and not os.path.exists("/usr/share/postgresql/15/extension/pgautofailover.control"):
            absent = f"the extension pgautofailover not found (Debian packages: {cls.packages})"
        return absent

    def up(self):
        common = ["--auth", "trust", "--no-ssl", "--pgport", str(PORT)]
        self._autoctl(self.arbiter, ["create", "monitor", "--pgdata", self._data(self.arbiter), "--hostname", self.arbiter.address]
                      + common)
        self._start(self.arbiter)
        self.wait("its monitor answers", 30, lambda: self._monitor("SELECT 1"))
        for key, value in self.settings["monitor"].items():
            self.sql(self.arbiter, f"ALTER SYSTEM SET pgautofailover.{key} = '{value}'", database=MONITOR_DATABASE)
        self.sql(self.arbiter, "SELECT pg_reload_conf()", database=MONITOR_DATABASE)
        for node, wanted in ((self.first, "single"), (self.second, "secondary")):
            at = f"postgres://autoctl_node@{self.arbiter.address}:{PORT}/{MONITOR_DATABASE}?sslmode=prefer"
            quorum = ["--replication-quorum", "true" if self.mode == "sync" else "false"]
            self._autoctl(node, ["create", "postgres", "--pgdata", self._data(node), "--hostname", node.address, "--name", node.name,
                                 "--monitor", at, "--dbname", "bench", "--username", "bench"] + quorum + common)
            for key, value in self.settings["keeper"].items():
                self._autoctl(node, ["config", "set", "--pgdata", self._data(node), key, value])
            if node is self.first:
                append(self._data(node) + "/pg_hba.conf", "local all all trust\n" + writer_access())
                if self.tuned:
                    append(self._data(node) + "/postgresql.conf",
                           "".join(f"{key} = '{value}'\n" for key, value in TUNED_POSTGRES.items()))
            self._start(node)
            self._wait_for_state(node, wanted)
        self._wait_for_state(self.first, "primary")

    def _wait_for_state(self, node, wanted):
        query = f"SELECT reportedstate || ' ' || goalstate FROM pgautofailover.node WHERE nodename = '{node.name}'"
        self.wait(f"{node.name} is {wanted}", 90, lambda: self._monitor(query) == f"{wanted} {wanted}")

    def _monitor(self, query):
        try:
            return self.sql(self.arbiter, query, database=MONITOR_DATABASE)
        except Trouble:
            return ""

    @staticmethod
    def _data(node):
        return node.folder + "/data"

    @staticmethod
    def _environment(node):
        return {f"XDG_{kind}": f"{node.folder}/{kind.lower()}" for kind in ("DATA_HOME", "CONFIG_HOME", "RUNTIME_DIR")}

    def _autoctl(self, node, words):
        return node.run(["pg_autoctl"] + words, user="postgres", environment=self._environment(node), within=90)

    def _start(self, node):
        node.start(["pg_autoctl", "run", "--pgdata", self._data(node)], user="postgres", environment=self._environment(node))
