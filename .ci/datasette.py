"""Makes the database that the tests' Datasette serves, the same every time."""

import os
import sqlite3
import sys

USERS, POSTS, COMMENTS = 40, 2_500, 1_200
# What ends up in Datasette's tokens for the next page, escaped in a way of its own.
AWKWARD = ["plain", "with blank", "a,b", "a/b", "50%", "~tilde", "q?x=1&y", "naïve", "🦀", "it's", "#hash", "a+b"]

path = sys.argv[1]
db = sqlite3.connect(path + ".new")
db.executescript(
    """
    create table users (id text primary key, name text not null, email text);
    create table posts (id integer primary key, author text not null references users(id), title text, body text,
                        score real, created text not null);
    create table comments (id integer primary key, post integer not null references posts(id), author text, body text);
    """
)
key = lambda n: f"{AWKWARD[n % len(AWKWARD)]}-{n:02d}"
db.executemany(
    "insert into users values (?, ?, ?)",
    [(key(n), f"User {n}", None if n % 7 == 0 else f"user{n}@example.{'biz' if n % 3 else 'com'}") for n in range(USERS)],
)
db.executemany(
    "insert into posts values (?, ?, ?, ?, ?, ?)",
    [
        # Ids with gaps, and a score that many share: a page may end between two of the same.
        (3 * n, key(n * n % USERS), f"Post {n}", f"It's \"text\" & naïve 🦀\n{n}", None if n % 50 == 0 else n % 5 / 2,
         f"2024-{1 + n % 12:02d}-{1 + n % 28:02d} {n % 24:02d}:00:00")
        for n in range(1, POSTS + 1)
    ],
)
db.executemany(
    "insert into comments values (?, ?, ?, ?)",
    [(n + 1, 3 * (1 + n % 400), key(n % USERS), f"Comment {n}") for n in range(COMMENTS)],
)
db.commit()
db.close()
os.rename(path + ".new", path)
