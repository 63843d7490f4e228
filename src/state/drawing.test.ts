import { describe, expect, it, vi } from 'vitest';
import type { PictureEvent } from '../protocol/pictures';
import { Fault } from '../protocol/faults';
import { fakeClient, fakeRun, type FakeClient } from '../testing/studio/fakeClient';
import { file, picture, reading, studioOver } from '../testing/studio/studioOver';

describe('drawing', () => {
  const live = async () => {
    const client = fakeClient();
    const made = studioOver(client);
    client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 8, sees: true, skips: true, withoutT5: false, objects: false });
    client.emit('run', fakeRun({ step: 30 }));
    made.now().setParams({ prompt: 'a [V] dog' });
    await Promise.resolve();
    made.timers.splice(0);
    return { client, ...made };
  };

  it('closes the old picture when the new one is there, and not before', async () => {
    const { client, now } = await live();
    const first = picture({ kind: 'concept' });
    client.emit('picture', first);
    expect(now().twins.concept).toBe(first);
    expect(first.bitmap.close).not.toHaveBeenCalled();
    client.emit('picture', picture({ kind: 'concept' }));
    expect(first.bitmap.close).toHaveBeenCalledOnce();
  });

  it('asks for drafts while the slider moves and draws once when it rests', async () => {
    const { client, now, timers } = await live();
    now().setBalance(0.4);
    now().setBalance(0.7);
    expect(client.balances).toEqual([0.4, 0.7]);
    expect(timers).toHaveLength(1);
    timers[0]!();
    expect(client.asked.filter(({ name }) => name === 'draw')).toMatchObject([{ params: { balance: 0.7, withBase: true } }]);
  });

  it('gives up a draw that the slider has left behind', async () => {
    const { client, now } = await live();
    void now().draw();
    expect(now().drawing).toBe(true);
    now().setBalance(0.4);
    expect(now().drawing).toBe(false);
    expect(client.asked.map(({ name }) => name).slice(-2)).toEqual(['draw', 'cancelDraw']);
  });

  it('begins no draw of the resting slider while the prompt is being written', async () => {
    const { client, now, timers } = await live();
    now().setBalance(0.7);
    now().setParams({ prompt: 'a [V] dog on' });
    for (const run of timers.splice(0)) run();
    expect(client.asked.filter(({ name }) => name === 'draw')).toEqual([]);
    expect(client.asked.filter(({ name }) => name === 'probe')).toMatchObject([{ params: { prompt: 'a [V] dog on' } }]);
  });

  it('has drafts of what was typed also where its picture is given up', async () => {
    const { client, now, timers } = await live();
    now().setParams({ prompt: 'a [V] dog on a beach' });
    void now().draw();
    expect(timers).toEqual([]);
    now().setBalance(0.4);
    for (const run of timers.splice(0, 1)) run();
    expect(client.asked.filter(({ name }) => name === 'probe')).toMatchObject([{ params: { prompt: 'a [V] dog on a beach' } }]);
    now().setParams({ seed: 7 });
    await now().draw();
    void now().draw();
    now().setBalance(0.5);
    expect(timers).toHaveLength(1);
  });

  it('keeps the slider inside its ends and still before anything is learned', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    now().setBalance(9);
    expect(now().balance).toBe(2);
    expect(client.balances).toEqual([]);
  });

  it('passes through full pictures of idle time without drawing again', async () => {
    const { client, now, timers } = await live();
    client.emit('picture', picture({ kind: 'tick', balance: 0.5 }));
    now().setBalance(0.5);
    timers[0]!();
    expect(client.asked.some(({ name }) => name === 'draw')).toBe(false);
  });

  it('drops idle pictures when what they show has changed, and refuses those that come later', async () => {
    const { client, now } = await live();
    const tick = picture({ kind: 'tick', balance: 0.5 });
    client.emit('picture', tick);
    now().setParams({ seed: 43 });
    expect(now().ticks).toHaveLength(0);
    expect(tick.bitmap.close).toHaveBeenCalledOnce();
    const late = picture({ kind: 'tick', balance: 1.5 });
    client.emit('picture', late);
    expect(now().ticks).toHaveLength(0);
    expect(late.bitmap.close).toHaveBeenCalledOnce();
    client.emit('picture', picture({ kind: 'tick', balance: 1.5 }, { seed: 43 }));
    expect(now().ticks).toHaveLength(1);
    client.emit('run', fakeRun({ step: 31 }));
    expect(now().ticks).toHaveLength(0);
  });

  it('stops a drawing whose prompt has changed, and refuses its pictures', async () => {
    const { client, now } = await live();
    client.answers.draw = () => new Promise(() => {});
    void now().draw();
    now().setParams({ prompt: 'a [V] dog on grass' });
    expect(client.asked.at(-1)?.name).toBe('cancelDraw');
    client.emit('picture', picture({ kind: 'concept' }));
    client.emit('picture', picture({ kind: 'base' }));
    expect(now().twins).toEqual({ base: null, concept: null });
  });

  it('takes nothing unfinished for what is better, and no noise at all', async () => {
    const { client, now } = await live();
    const shown = () => [now().twins.concept?.state, now().twins.concept?.step];
    const send = (changes: Partial<PictureEvent>) => client.emit('picture', picture({ kind: 'concept' }, changes));
    send({ state: 'partial', step: 2 });
    expect(shown()).toEqual([undefined, undefined]);
    send({ state: 'draft', step: 0, steps: 0 });
    send({ state: 'draft-linear', step: 0, steps: 0 });
    send({ state: 'partial', step: 3 });
    expect(shown()).toEqual(['draft', 0]);
    send({ state: 'partial', step: 9 });
    send({ state: 'draft', step: 0, steps: 0 });
    expect(shown()).toEqual(['partial', 9]);
    send({});
    send({ state: 'partial', step: 15 });
    send({ state: 'draft', step: 0, steps: 0, atStep: 40 });
    expect(shown()).toEqual(['full', 16]);
    now().setBalance(0.4);
    send({ state: 'draft-linear', step: 0, steps: 0, balance: 0.4 });
    expect(shown()).toEqual(['draft-linear', 0]);
    send({ balance: 1 });
    expect(shown()).toEqual(['draft-linear', 0]);
  });

  it('draws the base anew where its picture has other steps, seed, guidance, sampler or skipped layers', async () => {
    const { client, now } = await live();
    const withBase = () => (client.asked.findLast(({ name }) => name === 'draw')!.params as { withBase: boolean }).withBase;
    client.emit('picture', picture({ kind: 'base' }, { balance: 0 }));
    await now().draw();
    expect(withBase()).toBe(false);
    for (const change of [{ steps: 10 }, { seed: 7 }, { guidance: 5 }, { sampler: 'euler' as const }, { skipLayers: true }, { negative: 'snow' }]) {
      now().setParams(change);
      await now().draw();
      expect(withBase()).toBe(true);
    }
  });

  it('shows a fault beside the prompt, but not one the user caused by stopping', async () => {
    const { client, now } = await live();
    client.answers.draw = () => { throw new Fault('prompt-invalid', 'Too long.'); };
    await now().draw();
    expect(now().drawFault?.code).toBe('prompt-invalid');
    client.answers.draw = () => { throw new Fault('aborted', 'Stopped.'); };
    await now().draw();
    expect(now().drawFault).toBeNull();
  });
});

describe('before anything is learned', () => {
  const draws = (client: FakeClient) => client.asked.filter(({ name }) => name === 'draw');

  it('draws the base once as soon as a picture, a prompt and the base are there, and again when the class word changes the prompt', async () => {
    const client = fakeClient();
    reading(client);
    const { now, timers } = studioOver(client);
    now().setClassWord('dog');
    await now().addFiles([file('a.png'), file('b.png')]);
    expect(draws(client)).toEqual([]);
    client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 8, sees: true, skips: false, withoutT5: false, objects: false });
    await vi.waitFor(() => expect(now().drawing).toBe(false));
    expect(draws(client)).toMatchObject([{ params: { prompt: 'a [V] dog in the snow', withBase: true } }]);
    client.emit('picture', picture({ kind: 'base' }, { prompt: 'a [V] dog in the snow' }));
    now().setClassWord('cake');
    timers.splice(0).forEach((run) => run());
    await vi.waitFor(() => expect(now().drawing).toBe(false));
    expect(draws(client)).toHaveLength(2);
    now().setParams({ prompt: 'a dog on a beach' });
    timers.splice(0).forEach((run) => run());
    expect(draws(client)).toHaveLength(2);
  });

  it('leaves no seed, negative prompt, steps or guidance behind for a new concept', () => {
    const { now } = studioOver(fakeClient());
    now().setParams({ seed: 7, negative: 'blur', steps: 8, guidance: 1, balance: 0.5 });
    now().newConcept();
    expect(now()).toMatchObject({ prompt: '', seed: 42, negative: '', steps: 16, guidance: 3, balance: 1 });
  });
});
