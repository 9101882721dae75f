INSERT INTO main.runs (run, source, flow, started_at, finished_at, retries, unchanged)
SELECT run, source, flow, started_at, finished_at, retries, 0 FROM next.run;

-- Anew: behind a history that is not there any more. What it found is known from here on, and
-- nothing of it is told as changed.
CREATE TEMP TABLE this AS
SELECT (SELECT max(id) FROM main.runs) AS run, source,
       base > 0 AND (SELECT count(*) FROM main.runs) = 1 AS anew
FROM next.run;

-- The records whose rows change, by their keys: in one statement with the update, SQLite would
-- read all records there are for them.
CREATE TEMP TABLE retyped AS
SELECT c.id AS collection, x.record AS new,
       iif(typeof(x.record) = 'text', CAST(x.record AS INTEGER), CAST(x.record AS TEXT)) AS old
FROM next.changes x CROSS JOIN temp.this t CROSS JOIN main.collections c
WHERE x.kind = 'retyped' AND c.source = t.source AND c.resource = x.resource;
CREATE TEMP TABLE removed AS
SELECT c.id AS collection, x.record, c.run
FROM next.changes x CROSS JOIN temp.this t CROSS JOIN main.collections c
WHERE x.kind = 'removed' AND c.source = t.source AND c.resource = x.resource;

-- Ids that were numbers and are texts now, or the other way round: the records are the same.
UPDATE OR REPLACE main.records SET id = r.new FROM temp.retyped r
WHERE records.collection = r.collection AND records.id = r.old;
UPDATE main.changes SET record = r.new FROM temp.retyped r
WHERE changes.collection = r.collection AND changes.record = r.old;

-- The run before this one is the last that saw them; so before it is replaced.
UPDATE main.records SET last_run = r.run FROM temp.removed r
WHERE records.collection = r.collection AND records.id = r.record;

INSERT INTO main.collections (source, resource, run, blake3)
SELECT t.source, n.resource, t.run, n.blake3 FROM next.collections n, temp.this t WHERE true
ON CONFLICT (source, resource) DO UPDATE SET run = excluded.run, blake3 = excluded.blake3;

CREATE TEMP TABLE of_this AS
SELECT c.id AS collection, c.resource, t.run, t.anew
FROM next.collections n, temp.this t
JOIN main.collections c ON c.source = t.source AND c.resource = n.resource;

INSERT INTO main.run_collections
SELECT o.run, o.collection, n.received, n.records, n.rejects, n.first OR o.anew, n.complete,
       iif(o.anew, 0, n.added), iif(o.anew, 0, n.changed), iif(o.anew, 0, n.removed)
FROM temp.of_this o JOIN next.collections n ON n.resource = o.resource;

INSERT INTO main.records
SELECT o.collection, x.record, o.run, NULL
FROM next.changes x JOIN temp.of_this o ON o.resource = x.resource
WHERE x.kind = 'added' AND NOT o.anew
ON CONFLICT DO UPDATE SET last_run = NULL;

INSERT INTO main.changes (run, collection, record, kind, label, user, email, before, after)
SELECT o.run, o.collection, x.record, x.kind, x.label, x.user, x.email, x.before, x.after
FROM next.changes x JOIN temp.of_this o ON o.resource = x.resource
WHERE NOT o.anew AND x.kind <> 'retyped'
ORDER BY x.id;

DELETE FROM main.entries WHERE collection IN (SELECT collection FROM temp.of_this);
INSERT OR REPLACE INTO main.entries
SELECT o.collection, x.block, x.entries
FROM next.entries x JOIN temp.of_this o ON o.resource = x.resource
ORDER BY x.rowid;
