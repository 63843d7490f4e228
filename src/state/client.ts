/**
 * What the store needs of the worker's client: typed requests, events, and the slider's own fast lane.
 * The real one is protocol/client.ts; tests and the development page hand in a fake.
 */
import type { Mix } from '../protocol/mix';
import type { EventName, Events, ParamsOf, RequestName, ResultOf } from '../protocol/messages';

export interface StudioClient {
  /** Rejects with a Fault. */
  request<N extends RequestName>(name: N, params: ParamsOf<N>, options?: { signal?: AbortSignal }): Promise<ResultOf<N>>;
  /** Returns the function that ends the subscription. */
  on<N extends EventName>(event: N, handler: (data: Events[N]) => void): () => void;
  /** Asks for the draft at a balance; the newest wins, the answer comes as `picture` events of slot `concept`. */
  balance(value: number): void;
  /** Asks for the draft of a mix, likewise: slot `mix`, and an `overlap` event. */
  mix(mix: Mix): void;
}

/** Everything of the page that the store touches, injected so that it runs in Node. */
export interface Environment {
  client: StudioClient;
  /** Reads a file of the app's own folder by relative path. */
  read(path: string): Promise<Response>;
  /** Where preferences are remembered; null where the browser refuses. */
  memory: Pick<Storage, 'getItem' | 'setItem'> | null;
  /** Asks the browser to keep what this page stores when disk space is short; whether it will. Some browsers ask the user. */
  persist(): Promise<boolean>;
  newId(): string;
  /** Begins the page anew. */
  reload(): void;
  /** Runs once after a delay in ms; returns the function that cancels it. */
  later(delayMs: number, run: () => void): () => void;
}
