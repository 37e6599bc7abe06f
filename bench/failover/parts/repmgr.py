"""repmgr: repmgrd on both database nodes, a witness server with its repmgrd on the arbiter. Nothing in it fences an old primary."""

from .common import (NODES, POSTGRES_BIN, TUNED_POSTGRES, System, make_cluster, pg_ctl, write_file, writer_access)
from .nodes import PORT, Trouble


class Repmgr(System):
    name = "repmgr"
    packages = "repmgr postgresql-15-repmgr"
    programs = ["repmgr", POSTGRES_BIN + "/repmgrd", POSTGRES_BIN + "/postgres"]
    slow = {"default": ["kill-node", "kill-server", "cut-node", "stop-server"]}
    configs = {
        "default": {"daemon": {}, "connection": "connect_timeout=2"},
        "tuned": {"daemon": {"monitor_interval_secs": 1, "reconnect_attempts": 1, "reconnect_interval": 1,
                             "async_query_timeout": 2},
                  "connection": "connect_timeout=2 keepalives_idle=1 keepalives_interval=1 keepalives_count=2 "
                                "tcp_user_timeout=2000"},
    }

    def up(self):
        nodes = [(self.first, 1), (self.second, 2), (self.arbiter, 3)]
        for node, number in nodes:
            self._configure(node, number)
        for node in (self.first, self.arbiter):
            make_cluster(node, self._data(node), self._server_settings(),
                         f"host repmgr repmgr {NODES} trust\nhost replication repmgr {NODES} trust\n" + writer_access())
            pg_ctl(node, self._data(node), ["start"])
            self.sql(node, "CREATE ROLE repmgr SUPERUSER LOGIN")
            self.sql(node, "CREATE DATABASE repmgr OWNER repmgr")
        self._repmgr(self.first, ["primary", "register"])
        primary = ["-h", self.first.address, "-p", str(PORT), "-U", "repmgr", "-d", "repmgr"]
        self._repmgr(self.second, primary + ["standby", "clone", "--fast-checkpoint"])
        pg_ctl(self.second, self._data(self.second), ["start"])
        self._repmgr(self.second, ["standby", "register", "--wait-sync=30"])
        self._repmgr(self.arbiter, ["witness", "register", "-h", self.first.address])
        for node, number in nodes:
            node.start([f"{POSTGRES_BIN}/repmgrd", "-f", self._conf(node), "--no-pid-file", "--daemonize=false"], user="postgres")
        for node, number in nodes:
            self.wait(f"repmgrd on {node.name}", 30, lambda node=node: self._watches(node))

    def _server_settings(self):
        return {"listen_addresses": "*", "unix_socket_directories": "/run/postgresql", "wal_log_hints": "on",
                "shared_preload_libraries": "repmgr", "max_replication_slots": "10", **(TUNED_POSTGRES if self.tuned else {})}

    def _watches(self, node):
        try:
            return self.sql(node, "SELECT repmgr.repmgrd_is_running()", database="repmgr") == "t"
        except Trouble:
            return False

    def _configure(self, node, number):
        conf = self._conf(node)
        values = {
            "node_id": number, "node_name": node.name,
            "conninfo": f"host={node.address} port={PORT} user=repmgr dbname=repmgr {self.settings['connection']}",
            "data_directory": self._data(node), "pg_bindir": POSTGRES_BIN, "use_replication_slots": "yes",
            "failover": "automatic",
            "promote_command": f"{POSTGRES_BIN}/repmgr standby promote -f {conf} --log-to-file",
            "follow_command": f"{POSTGRES_BIN}/repmgr standby follow -f {conf} --log-to-file --upstream-node-id=%n",
            "log_file": node.folder + "/repmgrd-said.log",
            **self.settings["daemon"],
        }
        write_file(conf, "".join(f"{key}='{value}'\n" for key, value in values.items()))

    def _repmgr(self, node, words):
        return node.run([f"{POSTGRES_BIN}/repmgr", "-f", self._conf(node)] + words, user="postgres", within=90)

    @staticmethod
    def _conf(node):
        return node.folder + "/repmgr.conf"

    @staticmethod
    def _data(node):
        return node.folder + "/data"
