"""`python -m bench.wsgi MODULE:APP PORT THREADS`: serves an app as `serve` does Compass.

The same server with the same options (compass/server/serve.py), one worker process.
"""

import sys

from granian import Granian
from granian.constants import Interfaces
from granian.log import LogLevels


def main(target: str, port: str, threads: str) -> None:
    Granian(
        target,
        address="127.0.0.1",
        port=int(port),
        interface=Interfaces.WSGI,
        workers=1,
        blocking_threads=int(threads),
        log_level=LogLevels.warning,
        respawn_failed_workers=True,
        websockets=False,
    ).serve()


if __name__ == "__main__":
    main(*sys.argv[1:])
