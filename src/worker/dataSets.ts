/** Keeps the data set that the page is putting together, and reads it again after a reload. A picture that cannot be read any more is left out. */
import type { DataSet, FoundDataSet } from '../protocol/dataSet';
import { Fault } from '../protocol/faults';
import { SHOWN_PICTURES } from '../protocol/limits';
import { meantOf } from '../protocol/pictures';
import type { ParamsOf } from '../protocol/messages';
import { parseRecipe } from '../protocol/recipe';
import { deleteDataSet, putDataSet, readDataSet } from '../storage/dataSetStore';
import type { Database } from '../storage/db';
import type { Pictures } from './pictures';

export async function keepDataSet(db: Database, given: Pictures, { level, dataSet }: ParamsOf<'keepDataSet'>): Promise<void> {
  if (!dataSet) return deleteDataSet(db, level);
  await putDataSet(db, level, dataSet, dataSet.pictures.map(({ pictureId }) => given.get(pictureId)));
}

export async function findDataSet(db: Database, given: Pictures): Promise<FoundDataSet | null> {
  const found = await readDataSet(db);
  if (!found) return null;
  const { pictures: kept, ...rest } = found.record as DataSet;
  const pictures: FoundDataSet['pictures'] = [];
  for (const [n, { pictureId, crop, captions, ...said }] of kept.entries()) {
    const stored = found.files.find((each) => each.pictureId === pictureId);
    if (!stored) continue;
    const read = await given.add(stored.file, stored.name, pictureId, { shown: n < SHOWN_PICTURES }).catch((error: unknown) => { if (Fault.is(error)) return null; throw error; });
    if (read) pictures.push({ ...read, crop, captions, ...meantOf(said), file: stored.file });
  }
  return { ...rest, level: found.level, recipe: parseRecipe(rest.recipe), pictures };
}
