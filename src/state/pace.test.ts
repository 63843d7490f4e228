import { describe, expect, it } from 'vitest';
import { defaultRecipe } from '../protocol/recipe';
import type { PictureEvent } from '../protocol/pictures';
import type { StepMetrics } from '../protocol/run';
import { fakeRun } from '../testing/studio/fakeClient';
import { drawnPace, learnSeconds, rememberPace, rememberedPace, secondsUntil } from './pace';

const compute = { backend: 'wasm' as const, adapter: 'wasm SIMD, 1 thread', software: false, threads: 1, crossOriginIsolated: true, reason: '' };
const row = (step: number, stage: StepMetrics['stage'], stepMs: number): StepMetrics => ({ runId: 'r', step, stage, losses: {}, sigma: [], figures: {}, gradientNorm: 1, stepMs });
const metrics = [row(1, 'extractor', 200), row(2, 'extractor', 200), row(3, 'student', 600)];
const recipe = { ...defaultRecipe(), stage1Steps: 400, stage2Steps: 400, batchSize: 2 };
const twins = { base: { state: 'full', steps: 20, elapsedMs: 1400 } as PictureEvent, concept: null };
const unknown = { pace: null, twins: { base: null, concept: null }, guidance: 3, recipe };

describe('how long it takes', () => {
  it('is unknown before anything was computed here', () => {
    expect(learnSeconds(unknown)).toBeNull();
    expect(secondsUntil(25, { ...unknown, run: null, metrics: [] })).toBeNull();
  });

  it('follows from the base’s own picture, near what such a device has taken', () => {
    expect(drawnPace({ twins, guidance: 3, recipe })!.extractor! * 2).toBeCloseTo(0.19, 2);
    expect(learnSeconds({ ...unknown, twins })).toBeGreaterThan(250);
    expect(learnSeconds({ ...unknown, twins })).toBeLessThan(350);
  });

  it('is remembered of the last run on the same engine, for any batch', () => {
    const kept = new Map<string, string>();
    const memory = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, text: string) => void kept.set(key, text) };
    rememberPace(memory, { metrics, compute, run: fakeRun({ recipe }), usedBase: { id: 'embedded', name: '' } });
    const pace = rememberedPace(memory, compute, 'embedded');
    expect(pace).toEqual({ extractor: 0.1, student: 0.3 });
    expect(learnSeconds({ ...unknown, pace, recipe: { ...recipe, batchSize: 1 } })).toBe(160);
    expect(rememberedPace(memory, { ...compute, threads: 2 }, 'embedded')).toBeNull();
    expect(rememberedPace(memory, compute, 'another')).toBeNull();
    kept.set('lamina.pace', 'not ours');
    expect(rememberedPace(memory, compute, 'embedded')).toBeNull();
  });

  it('counts to a step from where the run is', () => expect(secondsUntil(25, { ...unknown, run: fakeRun({ step: 5 }), metrics })).toBeCloseTo(4));
});
