/** After one visit the studio needs no network: the server is gone, the page reloads, and draws. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, foreign, full, ids, loadSample, openStage, twin, untilPhase, visit, type Stage } from './studio';

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(async () => { await stage?.close(); });

it('reloads and learns and draws with the server stopped', async () => {
  await visit(stage);
  await baseReady(stage.page);
  await stage.page.waitForFunction(() => navigator.serviceWorker.controller !== null, undefined, { timeout: 30_000 });
  await stage.stopServer();
  await stage.page.goto(`${stage.url}?backend=wasm&threads=1#r.stage1Steps=2&r.stage2Steps=2`);
  await stage.page.reload();
  await baseReady(stage.page);
  expect(await stage.page.evaluate(() => crossOriginIsolated)).toBe(true);
  await loadSample(stage.page, 'birthday-cake');
  await at(stage.page, ids.learn).click();
  await untilPhase(stage.page, ['finished']);
  await full(stage.page, ids.twinConcept);
  expect((await twin(stage.page, ids.twinConcept))!.spread).toBeGreaterThan(10);
  expect(foreign(stage)).toEqual([]);
});
