"""The least that Flask can do: one route and the same JSON. No key, no database, no limit."""

import json
import os

from flask import Flask, Response, jsonify

app = Flask(__name__)
BODY = json.loads(os.environ["BENCH_BODY"])


@app.get("/v1/me")
def read_me() -> Response:
    return jsonify(BODY)
