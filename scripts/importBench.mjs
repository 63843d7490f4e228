/**
 * npm run import-bench -- FILE… [--precision f16|int8|int4] [--resume] [--use] [--json FILE]
 * Imports the files through the Models page of the built app in headless Chromium, and says how fast that was against reading them
 * raw in the same browser and against what its IndexedDB takes, how large the JavaScript heaps grew, and what lies in IndexedDB after.
 * --resume closes the tab in the middle, comes back, drops the files again and says how many tensors were there before and after.
 * --use then takes the model into use and waits until it is loaded.
 */
import { statSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { parseArgs } from 'node:util';
import { ensureBuild, ensurePackages, giveUp } from './prepare.mjs';

const { values: options, positionals: files } = parseArgs({ allowPositionals: true, options: { precision: { type: 'string' }, resume: { type: 'boolean', default: false }, use: { type: 'boolean', default: false }, json: { type: 'string' } } });
if (files.length === 0) {
  console.error('npm run import-bench -- FILE… [--precision f16|int8|int4] [--resume] [--use] [--json FILE]');
  process.exit(2);
}
ensurePackages();
ensureBuild();
const { launch, baseReady, tabBytes } = await import('./driver.mjs');
const { watchHeaps } = await import('./heaps.mjs');

/** Of the tensors: where --resume closes the tab. */
const RESUME_SHARE = 0.4;
const id = (name) => `[data-testid=${name}]`;
const megabytes = (bytes) => `${(bytes / 1e6).toFixed(0)} MB`;
/** Rates by the size of a piece. */
const each = (pieces, rates) => pieces.map((piece, i) => `${megabytes(rates[i])}/s in pieces of ${piece} MiB`).join(', ');
const sourceBytes = files.reduce((total, file) => total + statSync(file).size, 0);

/** Opens the Models page and gives it the files; resolves when it says what they are. */
async function give(page, url) {
  await page.goto(`${url}?backend=wasm`);
  await baseReady(page);
  await page.click(id('tab-models'));
  await page.setInputFiles(id('model-input'), files);
  const said = await (await page.waitForFunction(([ready, fault]) => {
    if (document.querySelector(ready)) return 'ready';
    return [...document.querySelectorAll(`${fault}, .statement`)].map((each) => each.textContent).find((text) => text !== '') ?? false;
  }, [id('model-import'), id('fault')], { timeout: 120_000 })).jsonValue();
  if (said !== 'ready') giveUp(`These files cannot be imported by themselves. ${said}`);
}

/** Sizes of the pieces in which the rivals read and write, in MiB: the best counts. */
const READ_PIECES = [8, 32];
const WRITE_PIECES = [8, 16];

/** Bytes a second of reading the files raw, in pieces, in the page. */
async function readRaw(page) {
  await page.evaluate(() => document.body.append(Object.assign(document.createElement('input'), { type: 'file', multiple: true, id: 'raw' })));
  await page.setInputFiles('#raw', files);
  const rates = [];
  for (const size of READ_PIECES) {
    rates.push(await page.evaluate(async (piece) => {
      const started = performance.now();
      let bytes = 0;
      for (const file of document.querySelector('#raw').files) for (let at = 0; at < file.size; at += piece) bytes += (await file.slice(at, at + piece).arrayBuffer()).byteLength;
      return (1000 * bytes) / (performance.now() - started);
    }, size * 2 ** 20));
  }
  return rates;
}

/** Bytes a second that IndexedDB takes, in chunks each in a transaction of its own. */
async function writeRates(page) {
  const rates = [];
  for (const size of WRITE_PIECES) {
    rates.push(await page.evaluate(async (piece) => {
      const db = await new Promise((done, failed) => {
        const asked = indexedDB.open('import-bench', 1);
        asked.onupgradeneeded = () => asked.result.createObjectStore('chunks');
        asked.onsuccess = () => done(asked.result);
        asked.onerror = () => failed(asked.error);
      });
      const random = crypto.getRandomValues(new Uint8Array(2 ** 16));
      const bytes = new Uint8Array(piece);
      for (let at = 0; at < bytes.length; at += random.length) bytes.set(random, at);
      const COUNT = Math.ceil((384 * 2 ** 20) / piece);
      const started = performance.now();
      for (let n = 0; n < COUNT; n++) {
        bytes[0] = n;
        await new Promise((done, failed) => {
          const transaction = db.transaction('chunks', 'readwrite', { durability: 'relaxed' });
          transaction.objectStore('chunks').put(bytes.buffer, n);
          transaction.oncomplete = done;
          transaction.onerror = () => failed(transaction.error);
        });
      }
      const rate = (1000 * COUNT * bytes.length) / (performance.now() - started);
      db.close();
      await new Promise((done) => { indexedDB.deleteDatabase('import-bench').onsuccess = done; });
      return rate;
    }, size * 2 ** 20));
  }
  return rates;
}

/** Tensors that are there, and of the whole model. */
const landed = (page) => page.evaluate(async () => {
  const db = await new Promise((done) => { const asked = indexedDB.open('lamina'); asked.onsuccess = () => done(asked.result); });
  const ask = (request) => new Promise((done) => { request.onsuccess = () => done(request.result); });
  const whole = (await ask(db.transaction('manifests').objectStore('manifests').getAll())).filter(({ sha256 }) => sha256.includes('/')).reduce((total, { tensors }) => total + Object.keys(tensors).length, 0);
  const count = whole + (await ask(db.transaction('landed').objectStore('landed').getAll())).reduce((total, { tensors }) => total + tensors.length, 0);
  const total = (await ask(db.transaction('models').objectStore('models').getAll())).flatMap(({ parts }) => parts).reduce((sum, { tensors }) => sum + tensors, 0);
  db.close();
  return { count, total };
});

/** Between two looks at the page or at its memory, which take time of what is measured. */
const LOOK_MS = 500;

/** Highest values seen until `stop`. */
function watch(context, heaps) {
  const peak = { heapBytes: 0, tabBytes: 0 };
  let on = true;
  const loop = (async () => {
    while (on) {
      const found = await heaps.now().catch(() => ({}));
      peak.heapBytes = Math.max(peak.heapBytes, Object.values(found).reduce((total, bytes) => total + bytes, 0));
      peak.tabBytes = Math.max(peak.tabBytes, await tabBytes(context).catch(() => 0));
      await new Promise((next) => setTimeout(next, LOOK_MS));
    }
  })();
  return async () => { on = false; await loop; return peak; };
}

const { url, context, page: first, close } = await launch();
try {
  let page = first;
  await give(page, url);
  if (options.precision) await page.click(id(`precision-${options.precision}`));
  const before = await page.evaluate(() => navigator.storage.estimate());
  const stopWatching = watch(context, await watchHeaps(page));
  const started = performance.now();
  await page.click(id('model-import'));
  let resumed = null;
  if (options.resume) {
    let before = { count: 0, total: Infinity };
    while (before.count < before.total * RESUME_SHARE) {
      await page.waitForTimeout(200);
      before = await landed(page);
    }
    await page.close();
    page = await context.newPage();
    await page.goto(`${url}?backend=wasm`);
    await baseReady(page);
    const there = await landed(page);
    await give(page, url);
    await page.click(id('model-import'));
    resumed = { before: before.count, after: there.count, total: there.total };
  }
  while (!(await page.$(id('model-use')))) await page.waitForTimeout(LOOK_MS); // waiting for a selector draws frames all the time
  const seconds = (performance.now() - started) / 1000;
  const peak = await stopWatching();
  const after = await page.evaluate(() => navigator.storage.estimate());
  const [rawRates, writing] = [await readRaw(page), await writeRates(page)];
  const [raw, write] = [Math.max(...rawRates), Math.max(...writing)];
  const storedBytes = await page.evaluate(async () => {
    const db = await new Promise((done) => { const asked = indexedDB.open('lamina'); asked.onsuccess = () => done(asked.result); });
    const all = await new Promise((done) => { const asked = db.transaction('models').objectStore('models').getAll(); asked.onsuccess = () => done(asked.result); });
    db.close();
    return all.flatMap(({ parts }) => parts).reduce((total, part) => total + part.storedBytes, 0);
  });
  const report = {
    files: files.map((file) => basename(file)), sourceBytes, storedBytes, seconds, bytesPerSecond: sourceBytes / seconds, rawBytesPerSecond: raw, rawBytesPerSecondByPiece: rawRates, shareOfRaw: sourceBytes / seconds / raw,
    indexedDbBytesPerSecond: write, indexedDbBytesPerSecondByPiece: writing, shareOfIndexedDb: storedBytes / seconds / write, heapPeakBytes: peak.heapBytes, tabPeakBytes: peak.tabBytes, indexedDbGrowthBytes: (after.usage ?? 0) - (before.usage ?? 0), resumed,
  };
  console.log(`${megabytes(sourceBytes)} in ${seconds.toFixed(1)} s: ${megabytes(report.bytesPerSecond)}/s, ${(100 * report.shareOfRaw).toFixed(0)} % of reading it raw (${each(READ_PIECES, rawRates)})`);
  console.log(`${megabytes(storedBytes)} written: ${(100 * report.shareOfIndexedDb).toFixed(0)} % of what IndexedDB takes here (${each(WRITE_PIECES, writing)}); the browser says it grew by ${megabytes(report.indexedDbGrowthBytes)}`);
  console.log(`JavaScript heaps at most ${megabytes(peak.heapBytes)}, the tab’s memory ${megabytes(peak.tabBytes)}`);
  if (resumed) console.log(`closed in the middle, when ${resumed.before} of ${resumed.total} tensors were there; on coming back ${resumed.after} were`);
  if (options.use) {
    await page.click(id('model-use'));
    await page.waitForTimeout(1000);
    const loading = performance.now();
    await baseReady(page, 3_600_000);
    console.log(`in use after ${((performance.now() - loading) / 1000).toFixed(1)} s; the tab’s memory ${megabytes(await tabBytes(context))}`);
  }
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, null, 2)}\n`);
} finally {
  await close();
}
