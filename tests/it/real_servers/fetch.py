"""Fetches all records of a resource with nothing but Python, one request after another, and prints them as a JSON array:
what the records of a run are compared with.

    fetch.py numbered URL PARAMETER             ?PARAMETER=1, 2, … until a page is not there
    fetch.py offset URL RECORDS SIZE            ?offset=0&limit=SIZE, … until there are as many as `total_count` says
    fetch.py children URL RECORDS ID…           URL with each id in place of {id}
    fetch.py table FILE QUERY                   no server at all: the rows of an SQLite file

RECORDS is where in a response the records are: `issues`, `issue.journals`. FETCH_HEADER in the environment, as in
`X-Key: secret`, is sent with each request. What a server refuses for a limit is asked for again until it is given.
"""

import json
import os
import sqlite3
import sys
import time
import urllib.error
import urllib.request

OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get(url):
    headers = dict([os.environ["FETCH_HEADER"].split(": ", 1)]) if "FETCH_HEADER" in os.environ else {}
    for _ in range(10_000):
        try:
            with OPENER.open(urllib.request.Request(url, headers=headers), timeout=60) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            if error.code not in (429, 503):
                raise
            time.sleep(0.01)
    sys.exit(f"{url}: refused for ever")


def at(body, path):
    for key in path.split("."):
        body = body[key]
    return body


def numbered(url, parameter):
    records, number = [], 1
    while True:
        try:
            page = get(f"{url}{'&' if '?' in url else '?'}{parameter}={number}")
        except urllib.error.HTTPError as error:
            if error.code not in (400, 404):
                raise
            return records
        if not page:
            return records
        records += page
        number += 1


def offset(url, path, size):
    records, total = [], 1
    while len(records) < total:
        body = get(f"{url}{'&' if '?' in url else '?'}offset={len(records)}&limit={size}")
        total = body["total_count"]
        if not at(body, path) and len(records) < total:
            sys.exit(f"{url}: {len(records)} of {total}")
        records += at(body, path)
    return records


def children(url, path, *ids):
    return [record for id in ids for record in at(get(url.replace("{id}", id)), path)]


def table(file, query):
    db = sqlite3.connect(f"file:{file}?mode=ro&immutable=1", uri=True)
    db.row_factory = sqlite3.Row
    return [dict(row) for row in db.execute(query)]


kinds = {kind.__name__: kind for kind in (numbered, offset, children, table)}
json.dump(kinds[sys.argv[1]](*sys.argv[2:]), sys.stdout)
