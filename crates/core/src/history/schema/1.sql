-- One row for each run that was committed, in order.
CREATE TABLE runs (
    id          INTEGER PRIMARY KEY,
    run         TEXT NOT NULL UNIQUE,    -- its id in manifest and log
    source      TEXT NOT NULL,           -- the source's name or base URL
    flow        TEXT NOT NULL,           -- main or async
    started_at  TEXT NOT NULL,           -- RFC 3339, UTC
    finished_at TEXT NOT NULL,
    retries     INTEGER NOT NULL,        -- requests that were sent again
    unchanged   INTEGER NOT NULL         -- 1: the server said that nothing had changed
) STRICT;

-- A resource of a source: what records are told apart in.
CREATE TABLE collections (
    id       INTEGER PRIMARY KEY,
    source   TEXT NOT NULL,
    resource TEXT NOT NULL,              -- users, posts or comments
    run      INTEGER NOT NULL REFERENCES runs, -- the last one that had it
    blake3   TEXT NOT NULL,              -- of the file that the entries point into
    UNIQUE (source, resource)
) STRICT;

-- What a run found of a collection.
CREATE TABLE run_collections (
    run        INTEGER NOT NULL REFERENCES runs,
    collection INTEGER NOT NULL REFERENCES collections,
    received   INTEGER NOT NULL,         -- records that came
    records    INTEGER NOT NULL,         -- of these, stored
    rejects    INTEGER NOT NULL,         -- of these, not read
    first      INTEGER NOT NULL,         -- 1: nothing was known before, so nothing is told as added
    complete   INTEGER NOT NULL,         -- 0: a record that was not seen may be there all the same
    added      INTEGER NOT NULL,
    changed    INTEGER NOT NULL,
    removed    INTEGER NOT NULL,
    PRIMARY KEY (run, collection)
) STRICT, WITHOUT ROWID;

-- Every record that was ever seen.
CREATE TABLE records (
    collection INTEGER NOT NULL REFERENCES collections,
    id         ANY NOT NULL,             -- INTEGER or TEXT, as the API has it
    first_run  INTEGER NOT NULL REFERENCES runs,
    last_run   INTEGER REFERENCES runs,  -- the last run that saw it; NULL: it is still there
    PRIMARY KEY (collection, id)
) STRICT, WITHOUT ROWID;

-- What changed, in order.
CREATE TABLE changes (
    id         INTEGER PRIMARY KEY,
    run        INTEGER NOT NULL REFERENCES runs,
    collection INTEGER NOT NULL REFERENCES collections,
    record     ANY NOT NULL,             -- the record's id
    kind       TEXT NOT NULL CHECK (kind IN ('added', 'changed', 'removed')),
    label      TEXT,                     -- a user's name, a post's title, a comment's name
    user       ANY,                      -- the user's own id, or the author's
    email      TEXT,                     -- the user's or author's address, in small letters
    before     TEXT,                     -- JSON in one line: the fields that differ, as they were, or the record that is gone
    after      TEXT                      -- JSON in one line: the fields that differ, as they are, or the new record
) STRICT;
CREATE INDEX changes_by_run ON changes (run);
CREATE INDEX changes_by_record ON changes (collection, record);

-- What the next run is compared with, in a compact form of the program's own.
CREATE TABLE entries (
    collection INTEGER NOT NULL REFERENCES collections,
    block      INTEGER NOT NULL,
    entries    BLOB NOT NULL,
    PRIMARY KEY (collection, block)
) STRICT;

-- Records with their times, for people.
CREATE VIEW seen AS
SELECT c.source, c.resource, r.id, a.finished_at AS first_seen,
       coalesce(b.finished_at, l.finished_at) AS last_seen, r.last_run IS NULL AS is_there
FROM records r
JOIN collections c ON c.id = r.collection
JOIN runs a ON a.id = r.first_run
JOIN runs l ON l.id = c.run
LEFT JOIN runs b ON b.id = r.last_run;
