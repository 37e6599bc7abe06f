"""The floor: two plain servers and nobody who has to notice anything. The standby is promoted in the statement that follows the
fault, so what is left is the promotion itself and the way of the first write. It fences nothing."""

from .common import (NODES, POSTGRES_BIN, TUNED_POSTGRES, System, make_cluster, pg_ctl, writer_access)


class Floor(System):
    name = "floor"
    packages = "postgresql-15"
    programs = [POSTGRES_BIN + "/postgres"]
    configs = {"no detection": {}}

    def up(self):
        first, second = self.first, self.second
        data = first.folder + "/data"
        settings = {"listen_addresses": "*", "unix_socket_directories": "/run/postgresql", "wal_log_hints": "on",
                    **TUNED_POSTGRES}
        make_cluster(first, data, settings, f"host replication postgres {NODES} trust\n" + writer_access())
        pg_ctl(first, data, ["start"])
        copy = second.folder + "/data"
        second.run([f"{POSTGRES_BIN}/pg_basebackup", "-h", first.address, "-U", "postgres", "-D", copy, "-X", "stream", "-R",
                    "-c", "fast", "-C", "-S", "second"], user="postgres")
        pg_ctl(second, copy, ["start"])
        self._console = second.pipe([f"{POSTGRES_BIN}/psql", "-X", "-h", "/run/postgresql", "-U", "postgres"], user="postgres")
        self._tell("SELECT 1;")

    def fault_done(self):
        self._tell("SELECT pg_promote();")

    def _tell(self, text):
        self._console.stdin.write(text + "\n")
        self._console.stdin.flush()
