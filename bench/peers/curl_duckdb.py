"""The same job with two curls at once and DuckDB.

usage: curl_duckdb.py BASE_URL OUTPUT_DIRECTORY
"""

import json
import subprocess
import sys
from pathlib import Path

import duckdb

USER = """{id: 'BIGINT', name: 'VARCHAR', username: 'VARCHAR', email: 'VARCHAR',
  address: 'STRUCT(street VARCHAR, suite VARCHAR, city VARCHAR, zipcode VARCHAR,
                   geo STRUCT(lat VARCHAR, lng VARCHAR))',
  phone: 'VARCHAR', website: 'VARCHAR',
  company: 'STRUCT(name VARCHAR, catchPhrase VARCHAR, bs VARCHAR)'}"""
POST = "{userId: 'BIGINT', id: 'BIGINT', title: 'VARCHAR', body: 'VARCHAR'}"


def main(base: str, out: Path) -> None:
    fetched = out / "fetched"
    fetched.mkdir()
    curl = ["curl", "--no-progress-meter", "--fail", "--parallel"]
    for name in ("users", "posts"):
        curl += ["--output", str(fetched / name), f"{base}/{name}"]
    subprocess.run(curl, check=True)

    db = duckdb.connect()
    for name, columns in (("users", USER), ("posts", POST)):
        # A record that lacks a field gets a NULL there.
        db.execute(
            f"CREATE TABLE {name} AS "
            f"SELECT * FROM read_json('{fetched / name}', format = 'array', columns = {columns})"
        )
        missing = db.execute(f"SELECT count(*) - count(COLUMNS(*)) FROM {name}").fetchone()
        if missing is None or any(missing):
            raise ValueError(f"{name}: fields are missing: {missing}")

    def store(query: str, name: str) -> None:
        db.execute(f"COPY ({query}) TO '{out / name}.json' (FORMAT json, ARRAY true)")

    store("FROM users", "users")
    store("FROM posts", "posts")
    filtered = "FROM users WHERE lower(email) LIKE '%.biz'"
    store(filtered, "filtered_users")
    store("SELECT name FROM users", "user_names")

    def count(rows: str) -> int:
        found = db.execute(f"SELECT count(*) {rows}").fetchone()
        return int(found[0]) if found else 0

    per_user = db.execute(
        "SELECT userId, count(*) FROM posts GROUP BY userId ORDER BY 2 DESC, 1"
    ).fetchall()
    summary = {
        "users": count("FROM users"),
        "posts": count("FROM posts"),
        "filtered_users": count(filtered),
        "posts_per_user": [{"user_id": user, "posts": n} for user, n in per_user],
    }
    (out / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
