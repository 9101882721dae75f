"""The same job with two downloads on threads and polars.

usage: polars_frames.py BASE_URL OUTPUT_DIRECTORY
"""

import json
import sys
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl

TEXT = pl.String()
USER = {
    "id": pl.Int64(),
    "name": TEXT,
    "username": TEXT,
    "email": TEXT,
    "address": pl.Struct(
        {
            "street": TEXT,
            "suite": TEXT,
            "city": TEXT,
            "zipcode": TEXT,
            "geo": pl.Struct({"lat": TEXT, "lng": TEXT}),
        }
    ),
    "phone": TEXT,
    "website": TEXT,
    "company": pl.Struct({"name": TEXT, "catchPhrase": TEXT, "bs": TEXT}),
}
POST = {"userId": pl.Int64(), "id": pl.Int64(), "title": TEXT, "body": TEXT}


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=60) as answer:
        body: bytes = answer.read()
        return body


def checked(frame: pl.DataFrame) -> pl.DataFrame:
    """A record that lacks a field has a null there."""
    if any(frame.null_count().row(0)):
        raise ValueError(f"fields are missing: {frame.null_count()}")
    return frame


def main(base: str, out: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        raw = list(pool.map(fetch, (f"{base}/users", f"{base}/posts")))
    # Popped, so that the text does not stay in memory beside the frame made of it.
    posts = checked(pl.read_json(raw.pop(), schema=POST))
    users = checked(pl.read_json(raw.pop(), schema=USER))
    filtered = users.filter(pl.col("email").str.to_lowercase().str.ends_with(".biz"))
    per_user = (
        posts.group_by("userId").len("posts").sort("posts", "userId", descending=[True, False])
    )

    users.write_json(out / "users.json")
    posts.write_json(out / "posts.json")
    filtered.write_json(out / "filtered_users.json")
    users.select("name").write_json(out / "user_names.json")
    summary = {
        "users": len(users),
        "posts": len(posts),
        "filtered_users": len(filtered),
        "posts_per_user": per_user.rename({"userId": "user_id"}).to_dicts(),
    }
    (out / "summary.json").write_text(json.dumps(summary), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
