"""The same job in Python: aiohttp on one event loop, files written on its threads.

usage: python_asyncio.py BASE_URL OUTPUT_DIRECTORY
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import aiohttp

USER = {"id", "name", "username", "email", "address", "phone", "website", "company"}
POST = {"userId", "id", "title", "body"}

Records = list[dict[str, Any]]


async def fetch(session: aiohttp.ClientSession, url: str, fields: set[str]) -> Records:
    async with session.get(url) as answer:
        answer.raise_for_status()
        records: Records = await answer.json()
    for record in records:
        if not fields <= record.keys():
            raise ValueError(f"{url}: a record lacks {fields - record.keys()}")
    return records


def store(path: Path, value: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        json.dump(value, file, indent=2)


async def main(base: str, out: Path) -> None:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=600)) as session:
        users, posts = await asyncio.gather(
            fetch(session, f"{base}/users", USER), fetch(session, f"{base}/posts", POST)
        )
    filtered = [user for user in users if user["email"].lower().endswith(".biz")]
    counts = Counter(post["userId"] for post in posts)
    summary = {
        "users": len(users),
        "posts": len(posts),
        "filtered_users": len(filtered),
        "posts_per_user": [{"user_id": user, "posts": n} for user, n in counts.most_common()],
    }
    files = {
        "users": users,
        "posts": posts,
        "filtered_users": filtered,
        "user_names": [user["name"] for user in users],
        "summary": summary,
    }
    await asyncio.gather(
        *(asyncio.to_thread(store, out / f"{name}.json", value) for name, value in files.items())
    )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
