"""Plays one scenario with one library:  AMQP_URL=... python scenarios.py LIBRARY SCENARIO
Exits 0 when all came as it should; a failed expectation is a traceback. The names stand in ../scenarios.ts."""
import signal
import sys

import edges  # the scenarios register themselves
import routing
import talking
import working
from stage import clients, scenarios

signal.alarm(60)  # a scenario that hangs is a scenario that failed
name = sys.argv[2]
if name == "victim":
    working.victim()
scenarios[name]()
for client in clients:
    try:
        client.close()
    except Exception:
        pass  # some scenarios have closed it already
print("ok")
