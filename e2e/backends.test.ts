/** The same four steps on WebGPU (SwiftShader), on wasm with two threads and with one: the losses agree. */
import { expect, it } from 'vitest';
import { at, baseReady, ids, loadSample, openStage, visit } from './studio';

/** f32 sums in another order on another backend, grown over four optimizer steps. */
const tolerance = 1e-3;

/** Losses of 2 + 2 steps, and what they were computed on. */
async function losses(query: string, webgpu = false): Promise<{ backend: string | null; adapter: string; flow: number[] }> {
  const stage = await openStage({ webgpu });
  try {
    await stage.context.addInitScript(() => {
      const heard: { flow: number[] } = { flow: [] };
      Object.assign(globalThis, { heard });
      const Plain = globalThis.Worker;
      globalThis.Worker = class extends Plain {
        constructor(url: string | URL, options?: WorkerOptions) {
          super(url, options);
          this.addEventListener('message', ({ data }) => { if (data?.event === 'metrics') heard.flow.push(data.data.losses.flow); });
        }
      };
    });
    await visit(stage, { stage1Steps: 2, stage2Steps: 2, previewEvery: 1000, seed: 3 }, query);
    await baseReady(stage.page, 200_000);
    await loadSample(stage.page, 'one-eyed-monster');
    await at(stage.page, ids.learn).click();
    await stage.page.waitForFunction(() => (globalThis as unknown as { heard: { flow: number[] } }).heard.flow.length === 4, undefined, { timeout: 540_000 });
    const flow = await stage.page.evaluate(() => (globalThis as unknown as { heard: { flow: number[] } }).heard.flow);
    return { backend: await at(stage.page, ids.compute).getAttribute('data-backend'), adapter: (await at(stage.page, ids.compute).textContent()) ?? '', flow };
  } finally {
    await stage.close();
  }
}

const largestGap = (a: number[], b: number[]): number => Math.max(...a.map((value, i) => Math.abs(value - b[i]!)));
const alone = losses('?backend=wasm&threads=1');

it('learns alike with two wasm threads', async () => {
  const one = await alone;
  const two = await losses('?backend=wasm&threads=2');
  expect(one.flow.every(Number.isFinite)).toBe(true);
  expect(two.adapter).toContain('2 threads');
  expect(largestGap(one.flow, two.flow)).toBeLessThan(tolerance);
});

// SwiftShader computes on the CPU: minutes on a busy machine.
it('learns alike on WebGPU', async () => {
  const one = await alone;
  const gpu = await losses('?backend=webgpu', true);
  console.log(`on ${gpu.adapter}: ${gpu.flow.join(' ')}; wasm: ${one.flow.join(' ')}`);
  expect(gpu.backend).toBe('webgpu');
  expect(largestGap(one.flow, gpu.flow)).toBeLessThan(tolerance);
}, 600_000);

it.sequential('says so when there is no WebGPU', async () => {
  const stage = await openStage();
  try {
    await visit(stage, {}, '');
    await baseReady(stage.page);
    expect(await at(stage.page, ids.compute).getAttribute('data-backend')).toBe('wasm');
  } finally {
    await stage.close();
  }
});
