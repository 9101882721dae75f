"""Writes the pages that the tests' nginx serves: FOLDER/RESOURCE/NUMBER.json, the same every time."""

import json
import os
import sys

SIZE = 5

resources = {
    "users": [
        {"id": n, "name": f"User {n}", "username": f"user{n}", "email": f"user{n}@example.{'biz' if n % 3 else 'com'}"}
        for n in range(1, 29)
    ],
    "posts": [
        {"id": n, "userId": 1 + n * n % 28, "title": f"Post {n}", "body": f"It's \"text\", naïve 🦀\n{n}"}
        for n in range(1, 1_499)
    ],
    "comments": [
        {"id": n, "postId": 1 + n * 7 % 1_498, "name": f"Comment {n}", "email": f"guest{n % 90}@example.com", "body": "…"}
        for n in range(1, 998)
    ],
}

folder = sys.argv[1]
for resource, records in resources.items():
    os.makedirs(f"{folder}.new/{resource}", exist_ok=True)
    for start in range(0, len(records), SIZE):
        with open(f"{folder}.new/{resource}/{1 + start // SIZE}.json", "w", encoding="utf-8") as file:
            json.dump(records[start : start + SIZE], file, ensure_ascii=start % 2 == 0)
os.rename(f"{folder}.new", folder)
