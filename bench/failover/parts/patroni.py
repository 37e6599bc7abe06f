"""Patroni with etcd. One etcd on the arbiter, which never fails here: an etcd on each node would have to elect first whenever the
node of its leader is the one that dies, so this is the arrangement that is best for Patroni."""

import json

from .common import NODES, POSTGRES_BIN, TUNED_POSTGRES, System, make_folder, write_file, writer_access
from .nodes import PORT, Trouble


class Patroni(System):
    name = "patroni"
    packages = "patroni python3-etcd etcd-server etcd-client"
    programs = ["patroni", "etcd", "etcdctl", POSTGRES_BIN + "/postgres"]
    modes = ["async", "sync"]
    slow = {"default": ["kill-node", "cut-node", "stop-server"]}
    configs = {
        "default": {"ttl": 30, "loop_wait": 10, "retry_timeout": 10},
        # The least values that the documentation allows, and no try to start a dead primary again.
        "tuned": {"ttl": 20, "loop_wait": 1, "retry_timeout": 3, "primary_start_timeout": 0},
        "extreme (ttl below its documented minimum)": {"ttl": 8, "loop_wait": 1, "retry_timeout": 3, "primary_start_timeout": 0},
    }

    def up(self):
        store = f"http://{self.arbiter.address}:2379"
        self.arbiter.start(["etcd", "--name", "arbiter", "--data-dir", make_folder(self.arbiter.folder + "/etcd"),
                            "--listen-client-urls", store, "--advertise-client-urls", store,
                            "--listen-peer-urls", f"http://{self.arbiter.address}:2380",
                            "--initial-advertise-peer-urls", f"http://{self.arbiter.address}:2380",
                            "--initial-cluster", f"arbiter=http://{self.arbiter.address}:2380"], user="postgres")
        health = ["etcdctl", f"--endpoints={store}", "endpoint", "health"]
        self.wait("etcd answers", 30, lambda: succeeds(lambda: self.arbiter.run(health, environment={"ETCDCTL_API": "3"})))
        self._start(self.first)
        self.wait("a primary", 60,
                 lambda: succeeds(lambda: self.sql(self.first, "SELECT 1 / (NOT pg_is_in_recovery())::int")))
        self._start(self.second)

    def _start(self, node):
        """JSON is YAML, and what Patroni reads needs no library to be written."""
        data = make_folder(node.folder + "/data")
        access = ["local all all trust", f"host replication replicator {NODES} trust", f"host all postgres {NODES} trust",
                  writer_access().strip()]
        server = {"use_pg_rewind": True, "use_slots": True,
                  "parameters": {"wal_log_hints": "on", **(TUNED_POSTGRES if self.tuned else {})}}
        settings = {
            "scope": "bench", "name": node.name,
            "restapi": {"listen": f"{node.address}:8008", "connect_address": f"{node.address}:8008"},
            "etcd3": {"host": f"{self.arbiter.address}:2379"},
            "bootstrap": {"dcs": {**self.settings, "synchronous_mode": self.mode == "sync", "postgresql": server},
                          "initdb": [{"encoding": "UTF8"}, {"locale": "C.UTF-8"}, "data-checksums"]},
            "postgresql": {"listen": f"{node.address}:{PORT}", "connect_address": f"{node.address}:{PORT}", "data_dir": data,
                           "bin_dir": POSTGRES_BIN, "pgpass": node.folder + "/pgpass", "pg_hba": access,
                           "parameters": {"unix_socket_directories": "/run/postgresql"},
                           "authentication": {"superuser": {"username": "postgres"},
                                              "replication": {"username": "replicator"}}},
        }
        write_file(node.folder + "/patroni.yml", json.dumps(settings, indent=1))
        node.start(["patroni", node.folder + "/patroni.yml"], user="postgres")


def succeeds(call):
    try:
        call()
        return True
    except Trouble:
        return False
