/**
 * Keeps the drafts up to date: computes the probe of a prompt and hands it to the draft worker. The point it stands on
 * depends only on prompt, seed and guidance, so it is kept; after a preview only the velocities there are made anew.
 */
import { Fault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { ParamsOf } from '../protocol/messages';
import { flowing } from '../pipeline/base';
import { disposeFieldWords, encodeFieldWords } from '../pipeline/sampling/velocityFields';
import { readingKey, readingOf } from '../pipeline/prompts';
import { makeProbe, probePoint, type ProbePoint } from '../pipeline/sampling/preview';
import type { Current } from './current';
import type { Opening } from './opening';
import type { Turns } from './turns';

export type ProbeParams = ParamsOf<'probe'>;

export class Probing {
  private wanted: ProbeParams | null = null;
  private kept: { key: string; point: ProbePoint } | null = null;
  private running: AbortController | null = null;
  private queue: Promise<void> = Promise.resolve();
  private revision = 0;

  constructor(private readonly host: Host, private readonly turns: Turns, private readonly opening: Opening, private readonly current: Current) {}

  /** Latest wins: an earlier one still computing is abandoned. */
  probe(params: ProbeParams): Promise<void> {
    this.wanted = params;
    return this.refresh();
  }

  /** The same again because the concept has changed; nothing before there is a concept and a prompt. */
  refresh(): Promise<void> {
    this.running?.abort();
    const mine = (this.running = new AbortController());
    const done = this.queue.then(() => this.compute(mine.signal));
    this.queue = done.catch(() => undefined);
    return done.catch((error: unknown) => {
      if (!Fault.is(error, 'aborted')) throw error;
    });
  }

  /** What to show drafts of until the user says otherwise. */
  suggest(params: ProbeParams): void {
    this.wanted = params;
  }

  private async compute(signal: AbortSignal): Promise<void> {
    const params = this.wanted;
    if (!params || signal.aborted) return;
    const base = await this.opening.base();
    const subject = await this.current.subject(base);
    if (!subject) return;
    const { spoken, kind, atStep, object } = subject;
    try {
      await this.turns.take('probing', async (between) => {
        const { prompt, negative, seed, guidance } = params;
        const of = { prompt, negative, seed, guidance, kind, atStep, object };
        const words = await encodeFieldWords(base, [prompt], negative, spoken, between);
        try {
          const key = JSON.stringify([prompt, negative, seed, guidance, kind, readingKey(readingOf(spoken))]);
          const probe = await flowing(base, async (flow) => {
            if (this.kept?.key !== key) {
              const point = await probePoint({ base: flow, words, seed, guidance, between, signal });
              this.kept?.point.xSigma.dispose();
              this.kept = { key, point };
            }
            return makeProbe({ base: flow, words, directions: [subject.direction(words, { guidance, from: 1 })], seed, guidance, revision: ++this.revision, between, signal }, this.kept.point);
          });
          this.opening.send({ kind: 'probe', probe, of });
          this.host.emit('probed', { revision: probe.revision });
        } finally {
          disposeFieldWords(words);
        }
      });
    } finally {
      subject.dispose();
    }
  }
}
