// Serves a database file with json-server's own middleware, on a port that the system chooses.
//
//     node json-server.js DB_FILE PORT_FILE
//
// The command line of json-server takes only a port that is known to be free, which nobody knows. PORT_FILE
// appears whole, once the server listens. The database is kept in memory: the file is never written.
const fs = require('fs');
const jsonServer = require('json-server');

const [dbFile, portFile] = process.argv.slice(2);
const app = jsonServer.create();
app.use(jsonServer.defaults({ logger: false }));
app.use(jsonServer.router(JSON.parse(fs.readFileSync(dbFile, 'utf8'))));
const server = app.listen(0, '127.0.0.1', () => {
  fs.writeFileSync(`${portFile}.new`, String(server.address().port));
  fs.renameSync(`${portFile}.new`, portFile);
});
