"""Pages go out compressed, where that gives nothing away.

What a page's length tells is what an attacker can read of it, if they can put words of their own
into it again and again (BREACH). So only pages that were asked for without any are compressed: no
query, no form; and with that, none that shows a key. What is left to guess is the form's token,
and that is signed anew with each second.
"""

import gzip

from flask import Response, request

SMALLEST = 1024


def compressed(response: Response) -> Response:
    """The same answer to the request under way, compressed if it may be."""
    if response.mimetype != "text/html":
        return response
    response.vary.add("Accept-Encoding")
    if (
        request.method == "GET"
        and not request.query_string
        and response.status_code == 200
        and request.accept_encodings.quality("gzip") > 0
        and len(body := response.get_data()) >= SMALLEST
    ):
        response.set_data(gzip.compress(body, compresslevel=5, mtime=0))
        response.content_encoding = "gzip"
    return response
