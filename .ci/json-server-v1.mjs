// Serves a database file with json-server 1.x itself, on a port that the system chooses.
//
//     node json-server-v1.mjs INSTALLED DB_FILE URL_FILE [string-keys]
//
// The command line of json-server takes only a port that is known to be free, listens on every interface and writes
// to the database file. Here it stays in memory. URL_FILE appears whole, once the server listens.
import fs from 'node:fs';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [installed, dbFile, urlFile, keys] = process.argv.slice(2);
const part = (name) => import(pathToFileURL(path.join(installed, 'node_modules/json-server/lib', name)));
const { createApp } = await part('app.js');
const { NormalizedAdapter } = await part('adapters/normalized-adapter.js');

// As a database is that json-server 1.x has written from the start: a key that refers to an id is a string, as ids are.
function withStringKeys(resources) {
  for (const record of Object.values(resources).flat()) {
    for (const [name, value] of Object.entries(record)) {
      if (name.endsWith('Id') && typeof value === 'number') record[name] = String(value);
    }
  }
  return resources;
}

const file = JSON.parse(fs.readFileSync(dbFile, 'utf8'));
const stored = { read: async () => (keys === 'string-keys' ? withStringKeys(file) : file), write: async () => {} };
const db = { data: await new NormalizedAdapter(stored).read(), write: async () => {} };

process.chdir(path.dirname(urlFile)); // json-server offers the folder public of the current one
const server = createApp(db).listen(0, () => {
  fs.writeFileSync(`${urlFile}.new`, `http://127.0.0.1:${server.address().port}\n`);
  fs.renameSync(`${urlFile}.new`, urlFile);
}, '127.0.0.1');
