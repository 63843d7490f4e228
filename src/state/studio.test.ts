import { describe, expect, it, vi } from 'vitest';
import { fakeClient, fakeRun, type FakeClient } from '../testing/studio/fakeClient';
import { file, reading, studioOver } from '../testing/studio/studioOver';
import { followFragment } from './studio';

describe('a fault', () => {
  const ready = { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 8, sees: true, skips: false, withoutT5: false, objects: false };
  const of = (code: 'not-finite' | 'internal' | 'device-lost' | 'network') => ({ code, message: 'It broke.', remedy: 'Do this.' });

  it('of a run stands beside the run', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('ready', ready);
    client.emit('run', fakeRun({ phase: 'learning', step: 40 }));
    client.emit('fault', of('not-finite'));
    expect(now()).toMatchObject({ deviceFault: null, runFault: { code: 'not-finite' }, notices: [] });
  });

  it('that passes is a notice, and the page is not asked to reload', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('ready', ready);
    client.emit('fault', of('internal'));
    expect(now()).toMatchObject({ deviceFault: null, notices: [{ text: 'It broke. Do this.', tone: 'bad' }] });
  });

  it('of the device or of a base that does not come is the banner', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('fault', of('internal'));
    expect(now().deviceFault?.code).toBe('internal');
    client.emit('ready', ready);
    client.emit('fault', of('device-lost'));
    expect(now().deviceFault?.code).toBe('device-lost');
  });
});

it('loads until the base is ready, whatever of it is read later', () => {
  const client = fakeClient();
  const { now } = studioOver(client);
  const part = { file: 'transformer', doneBytes: 1, totalBytes: 2, source: 'storage' as const };
  client.emit('loading', part);
  expect(now().loading).toEqual(part);
  client.emit('ready', { base: 'embedded', name: 'Embedded base', sizeBytes: 2, imageSize: 8, sees: true, skips: false, withoutT5: false, objects: false });
  client.emit('loading', { ...part, file: 'face_encoder', doneBytes: 2 });
  expect(now().loading).toBeNull();
});

describe('recipe and link', () => {
  it('keeps a refused value out of the recipe and names the reason', () => {
    const { now } = studioOver(fakeClient());
    now().setField('rank', 0);
    expect(now().recipe.rank).toBe(16);
    expect(now().recipeProblems.rank).toContain('between 1 and 64');
    now().setField('rank', 8);
    expect(now().recipe.rank).toBe(8);
    expect(now().recipeProblems.rank).toBeUndefined();
  });

  it('writes changes to the fragment and reads them back, refusing a bad link in words', () => {
    const { studio, now } = studioOver(fakeClient());
    const written: string[] = [];
    followFragment(studio, (fragment) => written.push(fragment));
    now().setField('eta', 0);
    expect(written).toEqual(['r.eta=0']);
    now().readLink('r.eta=99');
    expect(now().linkFault).toMatchObject({ code: 'recipe-invalid', subject: 'eta' });
    expect(now().recipe).toMatchObject({ eta: 0 });
  });

  it('starts with the class word’s prompt when a link names only the class', () => {
    const { now } = studioOver(fakeClient());
    now().readLink('r.classWord=ghost');
    expect(now().conceptName).toBe('My ghost');
    expect(now().prompt).toBe('a [V] ghost in the snow');
    now().readLink('r.classWord=ghost&prompt=a+%5BV%5D+ghost+on+a+beach');
    expect(now().prompt).toBe('a [V] ghost on a beach');
  });
});

describe('the engine’s figures', () => {
  const ready = { base: 'embedded', name: 'Embedded base', sizeBytes: 1, imageSize: 128, sees: true, skips: false, withoutT5: false, objects: false };
  const asked = (client: FakeClient) => client.asked.filter(({ name }) => name === 'trace');

  it('are asked for once shown, of each worker when its base is in', () => {
    const client = fakeClient();
    const { now } = studioOver(client);
    client.emit('ready', ready);
    expect(asked(client)).toEqual([]);
    now().showHud();
    client.emit('ready', ready);
    expect(asked(client)).toEqual([{ name: 'trace', params: { on: true } }, { name: 'trace', params: { on: true } }]);
  });
});

describe('room on the device', () => {
  const asking = (answer: boolean) => {
    const client = fakeClient({ learn: () => fakeRun(), keep: () => ({ name: 'Rex' }) as never });
    client.answers.storage = () => ({ usageBytes: 1, quotaBytes: 2, persisted: false, baseBytes: 1, conceptBytes: 0 });
    reading(client);
    const persist = vi.fn(async () => answer);
    const { now } = studioOver(client, { persist });
    return { persist, now };
  };

  it.each([[true, /keeps what is stored here/], [false, /may delete what is stored here/]] as const)('is asked for at the first Learn or Keep, once, and the answer %s is said', async (answer, words) => {
    const { persist, now } = asking(answer);
    await now().addFiles([file('a.png')]);
    now().setClassWord('dog');
    expect(persist).not.toHaveBeenCalled();
    await now().learn();
    await now().keep();
    await vi.waitFor(() => expect(now().notices.map(({ text }) => text)).toContainEqual(expect.stringMatching(words)));
    expect(persist).toHaveBeenCalledOnce();
  });
});
