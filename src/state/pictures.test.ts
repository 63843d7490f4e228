import type { vi } from 'vitest';
import { describe, expect, it } from 'vitest';
import type { Dropped } from '../protocol/concepts';
import { fakeClient } from '../testing/studio/fakeClient';
import { file, reading, studioOver } from '../testing/studio/studioOver';

describe('pictures', () => {
  it('keeps good files beside bad ones, each with its own fault', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png'), file('b.txt'), file('c.png')]);
    expect(now().cards.map((card) => card.state)).toEqual(['ready', 'faulty', 'ready']);
    expect(now().cards[1]!.fault?.code).toBe('file-not-a-picture');
    now().clearPictures();
    await now().addFiles([file('b.txt'), file('a.png')]);
    expect(now().selectedId).toBe(now().cards[1]!.pictureId);
  });

  it('takes up to 20 and says how many were left out', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles(Array.from({ length: 22 }, (_, n) => file(`${n}.png`)));
    expect(now().cards).toHaveLength(20);
    expect(now().inputFault).toMatchObject({ code: 'too-many-pictures', message: expect.stringContaining('2 pictures') as string });
  });

  it('offers what a picture says of how it was drawn, and says that one frame of an animation is used', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('drawn.png'), file('b.gif')]);
    expect(now().cards.map((card) => card.state)).toEqual(['ready', 'ready']);
    expect(now().prompt).not.toBe('a dog on a beach');
    const [offer, frame] = now().notices;
    expect(frame!.text).toBe('“b.gif” is animated: its first frame is used.');
    offer!.offer!.accept();
    expect(now()).toMatchObject({ prompt: 'a dog on a beach', seed: 7 });
    expect(client.asked.filter(({ name }) => name === 'drop')).toMatchObject([{ params: { purpose: 'among' } }, { params: { purpose: 'among' } }]);
  });

  it('takes of what a picture says the nearest that is possible, and says so', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    const params = { prompt: 'a dog', seed: -3, steps: 50, guidance: 15, balance: 7 };
    const became = { prompt: 'a dog', seed: 0, steps: 28, guidance: 12, balance: 2 };
    const said = 'Seed: 0 to 4294967295, whole. -3 became 0. Steps: 8 to 28, whole. 50 became 28. Guidance: 1 to 12. 15 became 12. Balance: 0 to 2. 7 became 2.';
    const { drop } = client.answers;
    client.answers.drop = async (asked) => ({ ...(await drop!(asked) as Extract<Dropped, { kind: 'picture' }>), drawn: { params, conceptId: null, mix: null, note: '' } });
    await now().addFiles([file('a.png')]);
    now().notices.at(-1)!.offer!.accept();
    expect(now()).toMatchObject(became);
    expect(now().notices.at(-1)!.text).toBe(said);
    now().setParams({ prompt: '', seed: 1, steps: 16, guidance: 3, balance: 1 });
    client.answers.drop = () => ({ kind: 'recipe', params, conceptId: null, mix: null, note: 'The parameters of a.png are set.' });
    await now().importFiles([file('a.png')]);
    expect(now()).toMatchObject(became);
    expect(now().notices.at(-1)!.text).toBe(`The parameters of a.png are set. ${said}`);
  });

  it.each(['addFiles', 'importFiles'] as const)('hands a LoRA and its adapter_config.json over as one (%s)', async (way) => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    const drops = () => client.asked.filter(({ name }) => name === 'drop').map(({ params }) => { const { name, config } = params as { name: string; config?: Blob }; return [name, config]; });
    const config = file('adapter_config.json');
    await now()[way]([config, file('adapter_model.safetensors'), file('a.png')]);
    expect(drops()).toContainEqual(['adapter_model.safetensors', config.file]);
    expect(drops()).toContainEqual(['a.png', undefined]);
    expect(drops().map(([name]) => name)).not.toContain('adapter_config.json');
    client.asked.length = 0;
    await now()[way]([file('adapter_config (1).json'), file('a.safetensors'), file('b.safetensors')]);
    for (const name of ['adapter_config (1).json', 'a.safetensors', 'b.safetensors']) expect(drops()).toContainEqual([name, undefined]);
  });

  it('gives a worker that replaces another the pictures on the cards', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png'), file('b.txt')]);
    client.emit('compute', { backend: 'wasm', adapter: 'wasm SIMD, 1 thread', software: false, threads: 1, crossOriginIsolated: true, reason: '' });
    const { pictureId } = now().cards[0]!;
    expect(client.asked.filter(({ name }) => name === 'drop').slice(2)).toMatchObject([{ params: { pictureId, name: 'a.png' } }]);
  });

  it('closes pictures that cannot come back and forgets them in the worker', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png')]);
    const card = now().cards[0]!;
    now().removeCard(card.pictureId);
    expect((card.info!.bitmap.close as ReturnType<typeof vi.fn>)).not.toHaveBeenCalled();
    now().clearPictures();
    expect((card.info!.bitmap.close as ReturnType<typeof vi.fn>)).toHaveBeenCalledOnce();
    expect(client.asked).toContainEqual({ name: 'forgetPicture', params: { pictureId: card.pictureId } });
    expect(now().selectedId).toBeNull();
  });

  const typed = (now: ReturnType<typeof studioOver>['now'], ...words: string[]) => { for (const word of words) now().setClassWord(word); };
  const captions = (complete: string, base: string, target: string) => ({ complete, base, target });
  const sample = (name: string): { file: Blob; name: string; captions: ReturnType<typeof captions> } => ({ ...file(name), captions: captions('a [V] dog on a beach', 'a dog on a beach', '[V] dog') });

  it.each(['instance', 'person'] as const)('carries the class word into all captions of a sample, letter by letter (%s)', async (kind) => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    now().setKind(kind);
    now().setClassWord('dog');
    await now().addFiles([sample('a.png'), sample('b.png')]);
    const id = now().cards[1]!.pictureId;
    now().setCaption(id, 'base', 'a dog on the sand');
    typed(now, 'do', 'd', '', 'a', 'al', 'alp', 'alpaca');
    expect(now().cards.map((card) => card.captions)).toEqual([captions('a [V] alpaca on a beach', 'a alpaca on a beach', '[V] alpaca'), captions('a [V] alpaca on a beach', 'a alpaca on the sand', '[V] alpaca')]);
    now().setClassWord('');
    expect(now().cards[0]!.captions.complete).toBe('a [V] alpaca on a beach');
    now().setKind('style');
    expect(now().cards[0]!.captions).toEqual(captions('a dog on a beach, [V]', 'a dog on a beach', '[V]'));
    now().setKind(kind);
    typed(now, 'p', 'pu', 'puppy');
    expect(now().cards[0]!.captions).toEqual(captions('a [V] puppy on a beach', 'a puppy on a beach', '[V] puppy'));
  });

  it('takes back a typed word, an edited caption, a crop and a removed picture, newest first', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    now().setClassWord('dog');
    await now().addFiles([sample('a.png'), sample('b.png')]);
    const before = now().cards;
    const [a, b] = before.map((card) => card.pictureId) as [string, string];
    typed(now, 'do', 'd', '', 'c', 'cat');
    for (const text of ['a', 'a c', 'a cat']) now().setCaption(a, 'base', text);
    now().setCrop(a, { x: 0, y: 0, size: 4 });
    now().removeCard(b);
    expect(now().cards).toHaveLength(1);
    expect(now().notices.at(-1)).toMatchObject({ text: '“b.png” is removed.', offer: { label: 'Undo' } });
    now().notices.at(-1)!.offer!.accept();
    expect(now().cards.map((card) => card.pictureId)).toEqual([a, b]);
    now().undo();
    expect(now().cards[0]!.crop).toEqual(before[0]!.crop);
    now().undo();
    expect(now().cards[0]!.captions).toEqual(captions('a [V] cat on a beach', 'a cat on a beach', '[V] cat'));
    now().undo();
    expect(now().recipe).toMatchObject({ classWord: 'dog' });
    expect(now().cards.map((card) => card.captions)).toEqual(before.map((card) => card.captions));
    // an offer of what has been undone does nothing
    now().notices.at(-1)!.offer!.accept();
    expect(now().cards).toHaveLength(2);
    expect(client.asked.filter(({ name }) => name === 'forgetPicture')).toEqual([]);
  });

  it('lets captions follow the class word until they are written by hand', async () => {
    const client = fakeClient();
    reading(client);
    const { now } = studioOver(client);
    await now().addFiles([file('a.png'), file('b.png')]);
    now().setClassWord('dog');
    expect(now().cards[0]!.captions).toEqual({ complete: 'a [V] dog', base: 'a dog', target: '[V] dog' });
    const id = now().cards[1]!.pictureId;
    now().setCaption(id, 'complete', 'a [V] dog on a beach');
    now().setCaption(id, 'base', 'a hound on a beach');
    now().setClassWord('cake');
    expect(now().cards[1]!.captions).toEqual({ complete: 'a [V] cake on a beach', base: 'a hound on a beach', target: '[V] cake' });
    expect(now().prompt).toBe('a [V] cake in the snow');
  });
});
