"""The same job in Python: requests on threads, counting in processes, `json.dump` to files.

usage: python_threads.py BASE_URL OUTPUT_DIRECTORY
"""

import json
import os
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests


@dataclass(slots=True)
class User:
    id: int
    name: str
    username: str
    email: str
    address: dict[str, Any]
    phone: str
    website: str
    company: dict[str, str]

    def row(self) -> dict[str, Any]:
        # `dataclasses.asdict` would copy what is inside too, and take several times as long.
        return {field: getattr(self, field) for field in self.__slots__}


@dataclass(slots=True)
class Post:
    userId: int
    id: int
    title: str
    body: str

    def row(self) -> dict[str, Any]:
        return {"userId": self.userId, "id": self.id, "title": self.title, "body": self.body}


def fetch(url: str) -> list[dict[str, Any]]:
    answer = requests.get(url, timeout=60)
    answer.raise_for_status()
    records = answer.json()
    if not isinstance(records, list):
        raise ValueError(f"{url}: not an array")
    return records


def count(user_ids: list[int]) -> Counter[int]:
    return Counter(user_ids)


def posts_per_user(posts: list[Post]) -> Counter[int]:
    """Only the ids travel to the processes: whole posts would take longer to send than to count."""
    cores = os.cpu_count() or 1
    ids = [post.userId for post in posts]
    step = max(1, -(-len(ids) // cores))
    total: Counter[int] = Counter()
    with ProcessPoolExecutor(cores) as pool:
        for part in pool.map(count, [ids[at : at + step] for at in range(0, len(ids), step)]):
            total.update(part)
    return total


def store(path: Path, value: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)


def main(base: str, out: Path) -> None:
    with ThreadPoolExecutor(2) as pool:
        raw_users, raw_posts = pool.map(fetch, (f"{base}/users", f"{base}/posts"))
    # A missing field or one too many is a TypeError here.
    users = [User(**record) for record in raw_users]
    posts = [Post(**record) for record in raw_posts]
    filtered = [user for user in users if user.email.lower().endswith(".biz")]
    counts = posts_per_user(posts)

    store(out / "users.json", [user.row() for user in users])
    store(out / "posts.json", [post.row() for post in posts])
    store(out / "filtered_users.json", [user.row() for user in filtered])
    store(out / "user_names.json", [user.name for user in users])
    summary = {
        "users": len(users),
        "posts": len(posts),
        "filtered_users": len(filtered),
        "posts_per_user": [{"user_id": user, "posts": n} for user, n in counts.most_common()],
    }
    store(out / "summary.json", summary)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
