// One end of the peer that we are measured beside: `node peer.mjs server DIR` or `node peer.mjs client DIR URL`.
//
// Both keep LevelDB on disk. The server answers CouchDB's protocol on a free port of loopback, which it prints. The
// client does what lines of standard input say, one JSON object each, and prints how long it took:
//   {"do": "put", "docs": [...]}   writes documents into its own database; known ones become a new revision
//   {"do": "push"} {"do": "pull"}  replicates once with the server
import { createInterface } from 'node:readline';
import { createRequire } from 'node:module';
import { mkdirSync } from 'node:fs';

const require = createRequire(import.meta.url);
const PouchDB = require('pouchdb');
const [role, folder, url] = process.argv.slice(2);
mkdirSync(folder, { recursive: true });
const say = (what) => process.stdout.write(`${JSON.stringify(what)}\n`);

function serve() {
  const app = require('express')();
  const Stored = PouchDB.defaults({ prefix: `${folder}/` });
  app.use('/', require('express-pouchdb')(Stored, {
    inMemoryConfig: true,
    mode: 'minimumForPouchDB',
    logPath: `${folder}/log.txt`,
  }));
  const listening = app.listen(0, '127.0.0.1', () => say({ port: listening.address().port }));
}

async function put(db, docs) {
  const known = await db.allDocs({ keys: docs.map((doc) => doc._id) });
  const revisions = new Map(known.rows.filter((row) => row.value && !row.value.deleted).map((row) => [row.id, row.value.rev]));
  const written = await db.bulkDocs(docs.map((doc) => ({ ...doc, _rev: revisions.get(doc._id) })));
  const failed = written.find((one) => one.error);
  if (failed) throw new Error(`${failed.id}: ${failed.message}`);
  return { docs: written.length };
}

async function replicate(db, how) {
  const { ok, docs_written: docs, doc_write_failures: failures, errors } = await db.replicate[how](url);
  if (!ok || failures > 0) throw new Error(`replication failed: ${errors}`);
  return { docs };
}

async function live() {
  const db = new PouchDB(`${folder}/school`);
  await db.info();
  say({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const order = JSON.parse(line);
    const began = process.hrtime.bigint();
    const done = order.do === 'put' ? await put(db, order.docs) : await replicate(db, order.do === 'push' ? 'to' : 'from');
    say({ ...done, seconds: Number(process.hrtime.bigint() - began) / 1e9 });
  }
  process.exit(0);
}

if (role === 'server') {
  serve();
  // The server ends with whoever started it.
  process.stdin.resume().on('end', () => process.exit(0));
} else {
  await live();
}
