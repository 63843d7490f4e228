/** What the current concept changed, measured on twins (pipeline/measuring/measure.ts), with the twins as a sheet on request. */
import type { Tensor4D } from '../engine/tf';
import { disposeConcept } from '../pipeline/concept';
import { measure } from '../pipeline/measuring/measure';
import { Fault } from '../protocol/faults';
import type { Host } from '../protocol/host';
import type { ParamsOf, ResultOf } from '../protocol/messages';
import { metaOf } from '../protocol/recipe';
import { updateConcept } from '../storage/conceptStore';
import { updateRun } from '../storage/runStore';
import type { Current } from './current';
import type { Opening } from './opening';
import { sheet, toShown } from './present';
import { readSeen, stacked } from './run';
import type { Turns } from './turns';

export class Measuring {
  constructor(private readonly host: Host, private readonly turns: Turns, private readonly opening: Opening, private readonly current: Current) {}

  async measure({ sheets, steps }: ParamsOf<'measure'>, signal: AbortSignal): Promise<ResultOf<'measure'>> {
    const base = await this.opening.base();
    const concept = this.current.borrow();
    const { value } = this.current;
    if (!concept || !value) throw new Fault('concept-missing', 'There is no learned concept to measure.', 'Learn one or open one from the Shelf.');
    let pictures: Tensor4D | null = null;
    try {
      if (!metaOf(value.recipe).pictures.captioned) throw new Fault('concept-missing', 'What changed is measured on prompts that name the concept, and a world has no name.', 'Draw with it, and compare with the base.');
      if (value.pictures.length === 0) throw new Fault('too-few-pictures', 'Likeness is measured against the pictures that a concept was learned from, and this one came without.', 'Draw with it, and judge by the pictures.');
      const { width: side } = base.pictureSize();
      const set = pictures = stacked(await readSeen(this.opening.platform.raster, value.pictures, side), side);
      const result = await this.turns.take('measuring', (between) =>
        measure({ base, concept: { ...concept, learned: true }, pictures: set, masks: value.pictures.map(({ mask }) => mask), steps, keepPixels: sheets, withoutRows: true, between, signal }, (done, total) => this.host.emit('measuring', { done, total })));
      value.measures = result.measures;
      if (value.runId) await updateRun(await this.opening.db(), value.runId, { measures: result.measures });
      if (value.conceptId) await updateConcept(await this.opening.db(), value.conceptId, { measures: result.measures });
      if (!result.sheet) return { measures: result.measures, sheet: null };
      const { pixels, size, columns, rows } = result.sheet;
      const shown = Array.from({ length: columns * rows }, (_, i) => toShown(pixels, size, size, i * size * size * 3));
      return { measures: result.measures, sheet: await this.opening.platform.raster.toPng(sheet(shown, columns)) };
    } finally {
      disposeConcept(concept);
      pictures?.dispose();
    }
  }
}
