-- What one run changes in the history. Behind the commit it is taken into history.db.
CREATE TABLE run (
    run TEXT NOT NULL, source TEXT NOT NULL, flow TEXT NOT NULL,
    started_at TEXT NOT NULL, finished_at TEXT NOT NULL, retries INTEGER NOT NULL,
    base INTEGER NOT NULL                -- the run in history.db that it was compared with
) STRICT;
CREATE TABLE collections (
    resource TEXT PRIMARY KEY, blake3 TEXT NOT NULL,
    received INTEGER NOT NULL, records INTEGER NOT NULL, rejects INTEGER NOT NULL,
    first INTEGER NOT NULL, complete INTEGER NOT NULL,
    added INTEGER NOT NULL, changed INTEGER NOT NULL, removed INTEGER NOT NULL
) STRICT;
-- The ids of a collection that was not known before: numbers in a row, or a text twice.
CREATE TABLE spans (resource TEXT NOT NULL, first ANY NOT NULL, last ANY NOT NULL) STRICT;
CREATE TABLE changes (
    id INTEGER PRIMARY KEY, resource TEXT NOT NULL, record ANY NOT NULL, kind TEXT NOT NULL,
    label TEXT, user ANY, email TEXT, before TEXT, after TEXT
) STRICT;
CREATE TABLE entries (resource TEXT NOT NULL, block INTEGER NOT NULL, entries BLOB NOT NULL) STRICT;
