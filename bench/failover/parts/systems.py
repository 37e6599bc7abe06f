"""All systems that are measured, in the order of the table."""

from .floor import Floor
from .lifeboat import Lifeboat
from .patroni import Patroni
from .pg_auto_failover import PgAutoFailover
from .repmgr import Repmgr

SYSTEMS = [Floor, Lifeboat, Patroni, PgAutoFailover, Repmgr]
