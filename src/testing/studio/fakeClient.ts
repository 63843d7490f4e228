/**
 * A client without a worker, for tests of the store and for looking at the studio while developing. Every request is answered by
 * a handler that can be replaced; events are sent by hand. It computes nothing and is not part of the app.
 */
import type { EventName, Events, ParamsOf, RequestName, ResultOf } from '../../protocol/messages';
import type { Mix } from '../../protocol/mix';
import { defaultRecipe } from '../../protocol/recipe';
import type { StudioClient } from '../../state/client';

type Answers = { [N in RequestName]?: (params: ParamsOf<N>) => ResultOf<N> | Promise<ResultOf<N>> };

export interface FakeClient extends StudioClient {
  /** Requests so far, in order. */
  asked: { name: RequestName; params: unknown }[];
  balances: number[];
  mixes: Mix[];
  answers: Answers;
  emit<N extends EventName>(event: N, data: Events[N]): void;
}

export function fakeRun(changes: Partial<Events['run']> = {}): Events['run'] {
  const recipe = { ...defaultRecipe(), classWord: 'dog', stage1Steps: 400, stage2Steps: 400 };
  return { runId: 'run-1', name: 'Guide dog', phase: 'learning', stage: 'extractor', recipe, step: 0, totalSteps: 800, secondsLeft: null, lambda: 1, notIdentical: '', startedAt: '2026-01-01T00:00:00Z', ...changes };
}

export function fakeClient(answers: Answers = {}): FakeClient {
  const handlers = new Map<EventName, Set<(data: never) => void>>();
  const client: FakeClient = {
    asked: [],
    balances: [],
    mixes: [],
    answers: {
      vocabulary: () => ({ words: ['a', 'dog', 'snow', 'in', 'the'] }),
      storage: () => ({ usageBytes: 40e6, quotaBytes: 41e9, persisted: true, baseBytes: 38e6, conceptBytes: 0 }),
      concepts: () => [],
      cards: () => [],
      unfinishedRun: () => null,
      models: () => [],
      draw: () => ({ elapsedMs: 1400 }),
      ...answers,
    },
    async request(name, params) {
      client.asked.push({ name, params });
      const answer = client.answers[name] as ((given: unknown) => unknown) | undefined;
      return (await answer?.(params)) as never;
    },
    on(event, handler) {
      const set = handlers.get(event) ?? new Set();
      handlers.set(event, set.add(handler as (data: never) => void));
      return () => set.delete(handler as (data: never) => void);
    },
    balance: (value) => client.balances.push(value),
    mix: (mix) => client.mixes.push(mix),
    emit(event, data) {
      for (const handler of handlers.get(event) ?? []) (handler as (given: typeof data) => void)(data);
    },
  };
  return client;
}
