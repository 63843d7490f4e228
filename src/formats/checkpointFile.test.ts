import { describe, expect, it, vi } from 'vitest';
import { rangedBytes } from './checkpointFile';

const bytes = Uint8Array.from({ length: 3 * 2 ** 20 }, (_, i) => (i * 7) % 251);

describe('a file at an address', () => {
  const address = 'https://models.example/some/model.safetensors?download=true';
  /** A server of ranges; `answers` go first. */
  const server = (...answers: ((range: string, headers: Record<string, string>) => Response | Error)[]) => {
    const asked: Record<string, string>[] = [];
    const fetchImpl = (async (_url: string, init?: RequestInit) => {
      const headers = init!.headers as Record<string, string>;
      asked.push(headers);
      const early = answers.shift()?.(headers.Range!, headers);
      if (early instanceof Error) throw early;
      if (early) return early;
      const [, begin, end] = /bytes=(\d+)-(\d+)/.exec(headers.Range!)!.map(Number);
      return new Response(bytes.slice(begin, end! + 1), { status: 206, headers: { 'Content-Range': `bytes ${begin}-${end}/${bytes.length}` } });
    }) as unknown as typeof fetch;
    return { asked, options: { fetch: fetchImpl, waits: [0, 0] } };
  };

  it('is read by ranges, with the token if there is one', async () => {
    const { asked, options } = server();
    const source = await rangedBytes(address, { ...options, token: 'secret' });
    expect([source.path, source.sizeBytes]).toEqual(['model.safetensors', bytes.length]);
    expect(await source.read(100, 200)).toEqual(bytes.slice(100, 200));
    expect(asked.map(({ Range, Authorization }) => [Range, Authorization])).toEqual([['bytes=0-7', 'Bearer secret'], ['bytes=100-199', 'Bearer secret']]);
    expect((await rangedBytes(address, server().options)).sizeBytes).toBe(bytes.length);
  });

  it('is asked for again where the connection breaks, and given up after a while', async () => {
    const broken = () => new TypeError('Failed to fetch');
    const twice = server(broken, broken);
    expect((await rangedBytes(address, twice.options)).sizeBytes).toBe(bytes.length);
    expect(twice.asked).toHaveLength(3);
    await expect(rangedBytes(address, server(broken, broken, broken).options)).rejects.toThrow(expect.objectContaining({ code: 'network', message: expect.stringContaining('does not answer') as string }));
  });

  it.each([429, 500, 503])('is asked for again where the server has too much to do or is in trouble (%i), and given up after a while', async (status) => {
    const busy = () => new Response('', { status });
    const twice = server(busy, busy);
    const source = await rangedBytes(address, twice.options);
    expect(twice.asked).toHaveLength(3);
    expect(await source.read(3, 5)).toEqual(bytes.slice(3, 5));
    const always = server(busy, busy, busy, busy);
    await expect(rangedBytes(address, always.options)).rejects.toMatchObject({ code: 'network', message: expect.stringContaining(`answered ${status}`) as string, remedy: expect.stringContaining('later') as string });
    expect(always.asked).toHaveLength(3);
  });

  it('waits as long as the server asks for, unless that is long, and no longer than until it is stopped', async () => {
    vi.useFakeTimers();
    try {
      const after = (wish: string) => () => new Response('', { status: 429, headers: { 'Retry-After': wish } });
      vi.setSystemTime(1_800_000_000_000);
      for (const wish of [() => '7', () => new Date(Date.now() + 7000).toUTCString()]) {
        const { asked, options } = server(after(wish()));
        const opened = rangedBytes(address, options);
        await vi.advanceTimersByTimeAsync(5000);
        expect(asked).toHaveLength(1);
        await vi.advanceTimersByTimeAsync(2000);
        expect((await opened).sizeBytes).toBe(bytes.length);
      }
      const long = server(after('3600'));
      await expect(rangedBytes(address, long.options)).rejects.toThrow('429');
      expect(long.asked).toHaveLength(1);
      const stop = new AbortController();
      const { asked, options } = server(() => new Response(bytes.slice(0, 8), { status: 206, headers: { 'Content-Range': `bytes 0-7/${bytes.length}` } }), after('30'));
      const source = await rangedBytes(address, options);
      const reading = source.read(0, 9, stop.signal).catch((error: unknown) => error);
      await vi.advanceTimersByTimeAsync(1000);
      stop.abort();
      expect(await reading).toMatchObject({ name: 'AbortError' });
      expect(asked).toHaveLength(2);
    } finally {
      vi.useRealTimers();
    }
  });

  it.each([
    [() => new Response('', { status: 401 }), /401/, /token/],
    [() => new Response('', { status: 404 }), /404/, /address/],
    [() => new Response(bytes), /whole files only/, /range requests/],
  ])('says what the server answered (%#)', async (answer, message, remedy) => {
    const error = await rangedBytes(address, server(answer).options).catch((fault: unknown) => fault);
    expect(error).toMatchObject({ code: 'network', message: expect.stringMatching(message) as string, remedy: expect.stringMatching(remedy) as string });
  });

  it('is not taken for more or less than was asked for', async () => {
    const { options } = server(() => new Response(bytes.slice(0, 8), { status: 206, headers: { 'Content-Range': `bytes 0-7/${bytes.length}` } }), () => new Response(bytes.slice(0, 3), { status: 206, headers: { 'Content-Range': `bytes 0-9/${bytes.length}` } }));
    const source = await rangedBytes(address, options);
    await expect(source.read(0, 10)).rejects.toMatchObject({ code: 'file-truncated' });
  });
});
