"""Posts page by page in Python, so many requests in flight, with requests or aiohttp.

usage: pages.py requests|aiohttp BASE_URL OUTPUT_DIRECTORY PAGE_SIZE IN_FLIGHT
"""

import asyncio
import json
import math
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

POST = {"userId", "id", "title", "body"}

Records = list[dict[str, Any]]


def on_threads(url: str, size: int, in_flight: int) -> Records:
    import requests

    local = threading.local()

    def get(page: int) -> requests.Response:
        # A session is not to be shared by threads; one for each keeps its connection.
        if not hasattr(local, "session"):
            local.session = requests.Session()
        answer: requests.Response = local.session.get(
            url, params={"_page": page, "_limit": size}, timeout=60
        )
        answer.raise_for_status()
        return answer

    first = get(1)
    records: Records = first.json()
    pages = math.ceil(int(first.headers["X-Total-Count"]) / size)
    with ThreadPoolExecutor(in_flight) as pool:
        for page in pool.map(lambda number: get(number).json(), range(2, pages + 1)):
            records.extend(page)
    return records


async def on_tasks(url: str, size: int, in_flight: int) -> Records:
    import aiohttp

    connector = aiohttp.TCPConnector(limit=in_flight)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def get(page: int) -> tuple[int, Records]:
            async with session.get(url, params={"_page": page, "_limit": size}) as answer:
                answer.raise_for_status()
                return int(answer.headers["X-Total-Count"]), await answer.json()

        total, records = await get(1)
        pages = math.ceil(total / size)
        for _, page in await asyncio.gather(*(get(number) for number in range(2, pages + 1))):
            records.extend(page)
    return records


def main(client: str, base: str, out: Path, size: int, in_flight: int) -> None:
    url = f"{base}/posts"
    if client == "requests":
        posts = on_threads(url, size, in_flight)
    else:
        posts = asyncio.run(on_tasks(url, size, in_flight))
    for post in posts:
        if not POST <= post.keys():
            raise ValueError(f"a post lacks {POST - post.keys()}")
    counts = Counter(post["userId"] for post in posts)
    summary = {
        "posts": len(posts),
        "posts_per_user": [{"user_id": user, "posts": n} for user, n in counts.most_common()],
    }
    for name, value in (("posts", posts), ("summary", summary)):
        with (out / f"{name}.json").open("w", encoding="utf-8") as file:
            json.dump(value, file, indent=2)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]), int(sys.argv[5]))
