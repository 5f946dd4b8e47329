"""The process of a worker: `python -m compass.server.worker THREADS [PARENT]`, for `serve` and
`compass-server worker`. With a parent's number it ends when that process does."""

import logging.config
import os
import sys

from flask import Flask

from compass.server import base, logs
from compass.server.config import Settings
from compass.server.worker.process import work


def main() -> None:
    os.umask(0o077)
    logging.config.dictConfig(logs.config())
    app = Flask("compass.server")
    base.configure(app, Settings.from_env())
    threads, *parent = map(int, sys.argv[1:])
    work(app, threads, *parent)


if __name__ == "__main__":
    main()
