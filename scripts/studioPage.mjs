/**
 * The real studio in a headless Chromium, for demo, recording and soak: server, page, and the ways of a user (drop, caption, learn, measure,
 * keep, export). What the workers say is overheard at the page's own Worker objects, and only `ask` asks them;
 * the app is not changed.
 */
import { readFileSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { addressOf, baseReady, launch, slide, tabBytes } from './driver.mjs';

/** Runs in the page before the app: keeps metrics, the newest run, faults and measured answers. */
function overhear() {
  const heard = { metrics: [], run: null, kept: 0, mixes: new Map(), compute: null, ready: null, measures: null, sheet: null, faults: [], drafts: [], session: null };
  globalThis.heard = heard;
  // at once, while the bitmap is open
  const keepMixPicture = ({ slot, state, bitmap }) => {
    if (slot.kind !== 'mix' || state !== 'full') return;
    const canvas = Object.assign(document.createElement('canvas'), { width: bitmap.width, height: bitmap.height });
    canvas.getContext('2d').drawImage(bitmap, 0, 0);
    heard.mixes.set(slot.merged ? 'merged' : 'mix', canvas.toDataURL('image/png'));
  };
  const listen = ({ data }) => {
    if (data?.event === 'metrics') heard.metrics.push(data.data);
    else if (data?.event === 'run') heard.run = data.data;
    else if (data?.event === 'ready') heard.ready = data.data;
    else if (data?.event === 'picture') keepMixPicture(data.data);
    else if (data?.event === 'fault') heard.faults.push(data.data);
    else if (data?.fault) heard.faults.push(data.fault);
    else if (data?.kind === 'draft') heard.drafts.push({ state: data.state, balance: data.balance, at: performance.now() });
    else if (data?.ok?.conceptId && data.ok.recipe) heard.kept++;
    else if (data?.ok?.compute) heard.compute = data.ok.compute;
    else if (data?.ok?.measures && 'sheet' in data.ok) Object.assign(heard, data.ok);
  };
  globalThis.Worker = class extends globalThis.Worker {
    constructor(url, options) {
      super(url, options);
      this.addEventListener('message', listen);
      if (options?.name === 'session') heard.session = this;
    }
  };
}

const id = (name) => `[data-testid="${name}"]`;
const imageNames = /\.(png|jpe?g|webp|avif|gif)$/i;

/** Pictures and captions of a folder; captions.json may give classWord, kind and a triplet for each file. */
export async function readSet(folder, captionsFile = null) {
  const names = (await readdir(folder)).filter((name) => imageNames.test(name)).sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  const text = await readFile(captionsFile ?? join(folder, 'captions.json'), 'utf8').catch((error) => { if (captionsFile) throw error; return null; });
  const captions = text === null ? { name: basename(folder), kind: 'instance', classWord: '', images: [] } : JSON.parse(text);
  return { folder, files: names, ...captions };
}

export class StudioPage {
  static async open({ query = '', report = () => {}, extraFlags = [], profile = undefined } = {}) {
    const stage = await launch({ args: extraFlags, colorScheme: 'dark', ...(profile && { profile }) });
    const { context, page } = stage;
    await context.addInitScript(overhear);
    page.on('pageerror', (error) => report(`page error: ${error.message}`));
    return Object.assign(new StudioPage(), { stage, context, page, query, peakBytes: null });
  }

  async close() {
    clearInterval(this.watch);
    await this.stage.close();
  }

  find(name) {
    return this.page.locator(id(name)).first();
  }

  /** Opens the studio with a recipe in the link, and what else is drawn by, and waits for the base. */
  async visit(recipe, drawing = {}) {
    await this.page.goto(addressOf(this.stage.url, this.query, recipe, drawing));
    await baseReady(this.page);
    this.watchMemory();
  }

  async drop(set) {
    await this.find('drop-input').setInputFiles(set.files.map((name) => join(set.folder, name)));
    await this.page.waitForFunction((n) => document.querySelectorAll('[data-testid^="card-"][data-state]').length === n && !document.querySelector('[data-state=reading]'), set.files.length, { timeout: 120_000 });
    await this.find(set.kind === 'style' ? 'kind-style' : 'kind-instance').click();
    if (set.kind !== 'style') await this.find('class-word').fill(set.classWord);
    for (const [n, name] of set.files.entries()) {
      const caption = set.images.find(({ file }) => file === name);
      if (!caption) continue;
      await this.page.locator(`${id(`card-${n}`)} button`).first().click();
      await this.page.evaluate((fold) => { document.querySelector(fold).open = true; }, id('captions-fold'));
      for (const which of ['complete', 'base', 'target']) {
        const field = this.find(`caption-${which}`);
        if ((await field.inputValue()) !== caption[which]) await field.fill(caption[which]);
      }
    }
  }

  /** Learns to the end; `onStep` hears the run and its newest figures about once a second. */
  async learn(onStep) {
    await this.find('learn').click();
    for (let shown = -1; ; await this.page.waitForTimeout(1000)) {
      const { run, last, faults } = await this.page.evaluate(() => ({ run: globalThis.heard.run, last: globalThis.heard.metrics.at(-1) ?? null, faults: globalThis.heard.faults.filter(({ code }) => code !== 'aborted') }));
      if (run && run.step !== shown) onStep(run, last);
      shown = run?.step ?? shown;
      if (run?.phase === 'finished') return run;
      if (run?.phase === 'failed' || (run === null && faults.length > 0)) throw new Error(faults.at(-1)?.message ?? 'The run failed.');
    }
  }

  /** Measures through the button; gives measures and the sheet's PNG bytes. */
  async measure(onProgress) {
    await this.page.evaluate(() => { globalThis.heard.measures = null; globalThis.heard.faults = []; });
    await this.find('measure').click();
    for (let text = ''; ; await this.page.waitForTimeout(1000)) {
      const said = await this.page.evaluate(() => ({ done: globalThis.heard.measures !== null, text: document.querySelector('.changed-block .note')?.textContent ?? '', faults: globalThis.heard.faults.filter(({ code }) => code !== 'aborted') }));
      if (said.done) break;
      if (said.faults.length > 0) throw new Error(said.faults[0].message);
      if (said.text !== text && /picture/.test(said.text)) onProgress(said.text);
      text = said.text;
    }
    const { measures, sheet } = await this.page.evaluate(async () => {
      const bytes = new Uint8Array(await globalThis.heard.sheet.arrayBuffer());
      let binary = '';
      for (let i = 0; i < bytes.length; i += 8192) binary += String.fromCharCode(...bytes.subarray(i, i + 8192));
      return { measures: globalThis.heard.measures, sheet: btoa(binary) };
    });
    return { measures, sheet: Buffer.from(sheet, 'base64') };
  }

  /** Keeps the concept and exports its LoRA from the Shelf; gives the file's name and bytes. */
  async keepAndExport() {
    await this.find('keep').click();
    await this.find('tab-shelf').click();
    await this.find('concept-export-0').click();
    await this.page.waitForSelector(`${id('export-save')}:not([disabled])`, { timeout: 180_000 });
    const [download] = await Promise.all([this.page.waitForEvent('download'), this.find('export-save').click()]);
    const bytes = readFileSync(await download.path());
    await this.page.keyboard.press('Escape');
    await this.find('tab-learn').click();
    return { name: download.suggestedFilename(), bytes };
  }

  /** PNG of a canvas. */
  async canvas(selector) {
    const url = await this.page.evaluate((where) => document.querySelector(where)?.toDataURL('image/png') ?? null, selector);
    return url && Buffer.from(url.split(',')[1], 'base64');
  }

  /** A question of our own to the session worker; ids below zero are never the page's. */
  ask(name, params = undefined) {
    return this.page.evaluate(([asked, given]) => new Promise((done, failed) => {
      const { session } = globalThis.heard;
      const id = -1 - performance.now();
      session.addEventListener('message', function answer({ data }) {
        if (data?.id !== id) return;
        session.removeEventListener('message', answer);
        if (data.fault) failed(new Error(data.fault.message));
        else done(data.ok);
      });
      session.postMessage({ id, name: asked, params: given });
    }), [name, params]);
  }

  /** Draws a mix as its page would have it drawn; a PNG's data URL. */
  async drawMix(mix, merged) {
    await this.ask('drawMix', { mix, merged });
    return this.page.evaluate((key) => globalThis.heard.mixes.get(key), merged ? 'merged' : 'mix');
  }

  /** The cosine of two of a mix's guidances. */
  async mixOverlap(mix, a, b) {
    const { ids, overlap } = await this.ask('probeMix', { mix });
    return overlap[ids.indexOf(a)][ids.indexOf(b)];
  }

  /** Rows of PNG files as one picture, written to `file`. */
  async sheet(rows, file) {
    const urls = await Promise.all(rows.map((row) => Promise.all(row.map(async (path) => `data:image/png;base64,${(await readFile(path)).toString('base64')}`))));
    const url = await this.page.evaluate(async (all) => {
      const pictures = await Promise.all(all.map((row) => Promise.all(row.map(async (each) => createImageBitmap(await (await fetch(each)).blob())))));
      const side = pictures[0][0].width;
      const canvas = Object.assign(document.createElement('canvas'), { width: side * Math.max(...pictures.map((row) => row.length)), height: side * pictures.length });
      pictures.forEach((row, y) => row.forEach((bitmap, x) => canvas.getContext('2d').drawImage(bitmap, x * side, y * side)));
      return canvas.toDataURL('image/png');
    }, urls);
    await writeFile(file, Buffer.from(url.split(',')[1], 'base64'));
  }

  heard(key) {
    return this.page.evaluate((name) => globalThis.heard[name], key);
  }

  slide(balance) {
    return slide(this.page, balance);
  }

  /** Peak of the tab's memory; null where the system does not tell. */
  watchMemory() {
    const sample = async () => {
      const bytes = await tabBytes(this.context).catch(() => 0);
      if (bytes > 0) this.peakBytes = Math.max(this.peakBytes ?? 0, bytes);
    };
    this.watch = setInterval(() => void sample(), 2000);
  }
}
