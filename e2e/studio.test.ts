/** The main way: a sample set, a few steps, the slider, during and after training; and that the page is alive before the weights. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { at, baseReady, foreign, full, ids, loadSample, openStage, sampleId, slide, stepsDone, twin, untilPhase, visit, type Stage } from './studio';

let stage: Stage;
beforeAll(async () => { stage = await openStage(); });
afterAll(async () => { await stage?.close(); });

/** Lower quartile: what the app itself needs, where other programs of a small machine take turns with it. */
const typical = (numbers: number[]): number => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 4)]!;

/** Moves the slider and waits for the decoded draft on the twin's canvas; gives ms to the linear and to the decoded picture. */
function timeDrafts(balances: number[]): Promise<{ linear: number[]; decoded: number[] }> {
  return stage.page.evaluate(async ([id, twinId, values]) => {
    const input = document.querySelector<HTMLInputElement>(`[data-testid=${id}]`)!;
    const figure = document.querySelector<HTMLElement>(`[data-testid=${twinId}]`)!;
    const set = Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, 'value')!.set!;
    const linear: number[] = [];
    const decoded: number[] = [];
    for (const value of values) {
      await new Promise((rested) => setTimeout(rested, 120));
      await new Promise<void>((done) => {
        const began = performance.now();
        const revision = figure.dataset['revision'];
        const observer = new MutationObserver(() => {
          if (figure.dataset['revision'] === revision) return;
          if (figure.dataset['state'] === 'draft-linear') linear.push(performance.now() - began);
          if (figure.dataset['state'] !== 'draft') return;
          decoded.push(performance.now() - began);
          observer.disconnect();
          done();
        });
        observer.observe(figure, { attributes: true });
        set.call(input, String(value));
        input.dispatchEvent(new Event('input', { bubbles: true }));
        setTimeout(() => { observer.disconnect(); done(); }, 3000);
      });
    }
    return { linear, decoded };
  }, [ids.balance, ids.twinConcept, balances] as const);
}

it('answers before the weights are in, and takes pictures then', async () => {
  await stage.context.route('**/base/transformer/*.safetensors', async (route) => { await new Promise((later) => setTimeout(later, 2500)); await route.continue(); });
  await visit(stage, { stage1Steps: 60, stage2Steps: 3, previewEvery: 1000 });
  await at(stage.page, sampleId('guide-dog')).first().waitFor({ timeout: 2500 });
  expect(await at(stage.page, ids.baseStatus).getAttribute('data-ready')).not.toBe('true');
  await loadSample(stage.page, 'guide-dog');
  await at(stage.page, ids.prompt).fill('a [V] dog on a beach');
  expect(await at(stage.page, ids.prompt).inputValue()).toBe('a [V] dog on a beach');
  await stage.context.unrouteAll();
  await baseReady(stage.page);
});

it('slides within a frame while it learns', async () => {
  await at(stage.page, ids.learn).click();
  await stage.page.waitForFunction(([id, twinId]) => Number(document.querySelector(`[data-testid=${id}]`)?.textContent?.split('/')[0]) >= 27 && document.querySelector(`[data-testid=${twinId}]`)?.getAttribute('data-state') !== 'empty', [ids.stepText, ids.twinConcept] as const, { timeout: 120_000 });
  const before = await stepsDone(stage.page);
  const { linear, decoded } = await timeDrafts([0.2, 0.6, 1, 1.4, 1.8, 1.2, 0.8, 0.4, 1.6]);
  console.log(`slider while learning from step ${before}: linear ${linear.map(Math.round).join(' ')} ms, decoded ${decoded.map(Math.round).join(' ')} ms`);
  expect(await untilPhase(stage.page, ['finished'])).toBe('finished');
  expect(await stepsDone(stage.page)).toBe(63);
  expect(linear.length).toBeGreaterThanOrEqual(8);
  expect(typical(linear)).toBeLessThanOrEqual(16);
  expect(typical(decoded)).toBeLessThanOrEqual(150);
});

it('changes the pixels with the balance, and is the base at 0', async () => {
  await full(stage.page, ids.twinConcept);
  const pictures = [];
  for (const balance of [0, 2]) {
    await slide(stage.page, balance);
    await at(stage.page, ids.balanceValue).filter({ hasText: balance.toFixed(2) }).waitFor();
    await stage.page.waitForTimeout(700);
    await full(stage.page, ids.twinConcept);
    await stage.page.waitForSelector(`[data-testid=${ids.draw}]`);
    pictures.push((await twin(stage.page, ids.twinConcept))!);
  }
  const base = (await twin(stage.page, ids.twinBase))!;
  expect(pictures[0]!.hash).toBe(base.hash);
  expect(pictures[1]!.hash).not.toBe(base.hash);
  // A picture of NaN would be one flat colour.
  for (const picture of pictures) expect(picture.spread).toBeGreaterThan(10);
});

it('asks nothing of any other origin', () => {
  expect(stage.requests.length).toBeGreaterThan(10);
  expect(foreign(stage)).toEqual([]);
});
