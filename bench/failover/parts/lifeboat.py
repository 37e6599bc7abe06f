"""Lifeboat itself: an agent on each database node, the controller on the arbiter."""

import os
import secrets

from .common import POSTGRES_BIN, System
from .nodes import PORT

PLAN = """plan: failover-bench
document: {{version: "1.0", owner: bench}}
objectives: {{rto: 1m, rpo: 1m}}
regions: {{alpha: {{role: primary}}, beta: {{role: secondary}}, gamma: {{role: tertiary}}}}
hosts:
  node1: {{region: alpha, address: {first}, agent: true}}
  node2: {{region: beta, address: {second}, agent: true}}
  arbiter: {{region: gamma, address: {arbiter}, controller: true}}
services:
  database:
    kind: postgres
    database: bench
    user: bench
    password: bench-password
    replication_password: replication-password
    members: {{first: {{host: node1, port: {port}}}, second: {{host: node2, port: {port}}}}}
    primary: first
    replication: {mode}
{lease}    automatic: any
safety: {{automatic_runs: {{at_most: 2, within: 24h}}}}
people: {{contacts: {{sam: {{phone: "+1-202-555-0142"}}}}, roles: {{operator: {{primary: sam}}}}}}
scenarios:
  database-failover:
    title: The database does not answer
    phases: {{recover: [{{id: promote, uses: postgres.failover, with: {{service: database, to: second}}, timeout: 1m}}]}}
"""

CONTROLLER_PORT = 7400


class Lifeboat(System):
    name = "lifeboat"
    packages = "none; scripts/build release makes build/lifeboat"
    modes = ["async", "sync"]
    configs = {
        "default": {},  # what a plan gets that says nothing of it
        "lease 2s": {"lease": "2s"},  # what the plans of the lab's examples ask for
        "tuned": {"lease": "1s"},
    }
    programs = [POSTGRES_BIN + "/postgres"]

    def up(self):
        folder = self.world.folder
        plan = folder + "/plan.yaml"
        lease = "".join(f"    {key}: {value}\n" for key, value in self.settings.items())
        with open(plan, "w", encoding="utf-8") as file:
            file.write(PLAN.format(first=self.first.address, second=self.second.address, arbiter=self.arbiter.address, port=PORT,
                                   mode=self.mode, lease=lease))
        kept = folder + "/secrets"
        os.mkdir(kept, mode=0o700)
        for name in ["bench-password", "replication-password", "api-token", "agent-node1", "agent-node2"]:
            with os.fdopen(os.open(f"{kept}/{name}", os.O_WRONLY | os.O_CREAT, 0o600), "w", encoding="ascii") as file:
                file.write(secrets.token_hex(20))
        at = f"{self.arbiter.address}:{CONTROLLER_PORT}"
        self.arbiter.start([self.world.lifeboat, "controller", "--plan", plan, "--store", self.arbiter.folder + "/journal.sqlite",
                            "--secrets", kept, "--host", "arbiter", "--listen", at])
        for node in (self.first, self.second):
            os.mkdir(node.folder + "/agent", mode=0o755)
            node.start([self.world.lifeboat, "agent", "--host", node.name, "--controller", at, "--data", node.folder + "/agent",
                        "--secrets", kept])

    def socket(self, node):
        return node.folder + "/agent/database/socket"
