"""The same job with dlt: its REST source, loaded into JSON lines. With a page size, page by page.

usage: dlt_jsonl.py BASE_URL OUTPUT_DIRECTORY [PAGE_SIZE]
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

# Nothing is reported to anybody, and files are left plain, as the others leave theirs.
os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "ERROR"
os.environ["DATA_WRITER__DISABLE_COMPRESSION"] = "true"
os.environ["DLT_DATA_DIR"] = str(Path(sys.argv[2]).resolve() / ".dlt")

import dlt  # noqa: E402
from dlt.sources.rest_api import rest_api_source  # noqa: E402

USER = {"id", "name", "username", "email", "address", "phone", "website", "company"}
POST = {"userId", "id", "title", "body"}

Record = dict[str, Any]


class Seen:
    """What is gathered while the records pass by."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.filtered: list[Record] = []
        self.posts: Counter[int] = Counter()

    def user(self, user: Record) -> Record:
        check(user, USER)
        self.names.append(user["name"])
        if user["email"].lower().endswith(".biz"):
            self.filtered.append(dict(user))
        return user

    def post(self, post: Record) -> Record:
        check(post, POST)
        self.posts[post["userId"]] += 1
        return post


def check(record: Record, fields: set[str]) -> None:
    if not fields <= record.keys():
        raise ValueError(f"a record lacks {fields - record.keys()}")


def resource(name: str, step: Callable[[Record], Record], page_size: int | None) -> dict[str, Any]:
    endpoint: dict[str, Any] = {"path": name, "data_selector": "$", "paginator": "single_page"}
    if page_size:
        endpoint["paginator"] = "header_link"
        endpoint["params"] = {"_page": 1, "_limit": page_size}
    return {"name": name, "endpoint": endpoint, "processing_steps": [{"map": step}]}


def main(base: str, out: Path, page_size: int | None) -> None:
    seen = Seen()
    resources: list[Any] = [resource("posts", seen.post, page_size)]
    if not page_size:
        resources.append(resource("users", seen.user, None))
    source = rest_api_source(
        {
            "client": {"base_url": f"{base}/"},
            # Without the nesting limit, dlt would make a table of each object inside of a record.
            "resource_defaults": {"parallelized": True, "max_table_nesting": 0},
            "resources": resources,
        },
        name="tracker",
    )
    pipeline = dlt.pipeline(
        "tracker",
        destination=dlt.destinations.filesystem(bucket_url=out.resolve().as_uri()),
        dataset_name="data",
        pipelines_dir=str(out / ".pipelines"),
    )
    pipeline.run(source, loader_file_format="jsonl").raise_on_failed_jobs()
    summary = {
        "users": len(seen.names),
        "posts": seen.posts.total(),
        "filtered_users": len(seen.filtered),
        "posts_per_user": [{"user_id": user, "posts": n} for user, n in seen.posts.most_common()],
    }
    for name, value in (
        ("filtered_users", seen.filtered),
        ("user_names", seen.names),
        ("summary", summary),
    ):
        (out / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
