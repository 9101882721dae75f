"""The data: made once by the sample API, kept as files, and what must come of it."""

import json
import re
import shutil
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import servers


@dataclass(frozen=True)
class Size:
    """How much data there is."""

    name: str
    users: int
    posts: int
    repeat: int  # pairs that are measured unless said otherwise

    def options(self) -> list[str]:
        return ["--users", str(self.users), "--posts", str(self.posts), "--comments", "0"]


SIZES = {
    "S": Size("S", 10, 100, 20),
    "M": Size("M", 10_000, 100_000, 10),
    "L": Size("L", 100_000, 2_000_000, 3),
}


@dataclass(frozen=True)
class DataSet:
    """The files of one size, and what a right answer says of them."""

    size: Size
    folder: Path
    filtered_users: int
    posts_per_user: Counter[int]
    length: int  # bytes of both files

    def mistake(self, summary_file: Path, posts_only: bool) -> str | None:
        """What is wrong with the summary of a run, if something is."""
        summary: dict[str, Any] = json.loads(summary_file.read_text(encoding="utf-8"))
        want = {"posts": self.size.posts}
        if not posts_only:
            want |= {"users": self.size.users, "filtered_users": self.filtered_users}
        for key, number in want.items():
            if summary.get(key) != number:
                return f"{key}: {summary.get(key)} instead of {number}"
        counts = Counter({row["user_id"]: row["posts"] for row in summary["posts_per_user"]})
        for user in range(1, self.size.users + 1):
            if counts[user] != self.posts_per_user[user]:
                want_posts = self.posts_per_user[user]
                return f"posts_per_user: {counts[user]} of user {user} instead of {want_posts}"
        return None


def prepare(size: Size, root: Path, program: Path, version: str) -> DataSet:
    """Makes the files of `size` below `root`, unless this version of the program made them before."""
    folder = root / size.name
    stamp = folder / "stamp.txt"
    made_by = " ".join([version, *size.options()])
    if not (stamp.is_file() and stamp.read_text(encoding="utf-8") == made_by):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        with servers.sample_api(program, *size.options()) as server:
            for name in ("users", "posts"):
                with urllib.request.urlopen(f"{server.url}/{name}", timeout=60) as answer:
                    with (folder / name).open("wb") as file:
                        shutil.copyfileobj(answer, file, 1 << 20)
        stamp.write_text(made_by, encoding="utf-8")
    users = (folder / "users").read_bytes()
    filtered = len(re.findall(rb'^    "email": "[^"]*\.biz",$', users, re.MULTILINE))
    posts_per_user: Counter[int] = Counter()
    with (folder / "posts").open("rb") as file:
        authors = (re.match(rb'    "userId": (\d+),$', line) for line in file)
        posts_per_user.update(int(found[1]) for found in authors if found)
    length = len(users) + (folder / "posts").stat().st_size
    return DataSet(size, folder, filtered, posts_per_user, length)
