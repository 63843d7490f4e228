import { describe, expect, it } from 'vitest';
import { Turns } from './turns';

describe('turns', () => {
  it('serves a draw between the blocks of a training step, and lets training go on afterwards', async () => {
    const turns = new Turns();
    const order: string[] = [];
    const between = turns.between('training');
    const training = turns.take('training', async () => {
      for (let block = 0; block < 4; block++) {
        await between();
        order.push(`train ${block}`);
        if (block === 0) void turns.take('drawing', async (pause) => {
          for (let step = 0; step < 3; step++) {
            await pause();
            order.push(`draw ${step}`);
          }
        });
      }
    });
    await training;
    expect(order).toEqual(['train 0', 'draw 0', 'draw 1', 'draw 2', 'train 1', 'train 2', 'train 3']);
  });

  it('lets messages in at every turn', async () => {
    const turns = new Turns();
    let heard = false;
    setTimeout(() => { heard = true; }, 0);
    await turns.take('training', async (between) => { for (let i = 0; i < 1000 && !heard; i++) await between(); });
    expect(heard).toBe(true);
  });

  it('releases what waits when urgent work fails', async () => {
    const turns = new Turns();
    const failing = turns.take('probing', async (between) => { await between(); throw new Error('x'); }).catch(() => 'failed');
    expect(await turns.take('idle', async () => 'done')).toBe('done');
    expect(await failing).toBe('failed');
  });
});
