/** A run as an archive that trainers of elsewhere go on with: its pictures as they were cropped, its captions and figures. */
import { publishedTraining, writeHandover, type HandedPicture, type HandedTraining } from '../formats/handover';
import { Fault } from '../protocol/faults';
import type { ResultOf } from '../protocol/messages';
import { EMBEDDED } from '../protocol/models';
import { parseRecipe, wordsOf, type Recipe } from '../protocol/recipe';
import type { Database } from '../storage/db';
import { getRun } from '../storage/runStore';
import { spokenWord } from '../pipeline/prompts';
import { cropPng } from './pictures';
import type { Raster } from './platform';

/** Up to how many pictures go out larger than trainers ask for: so many make a file of some 100 MB. */
const FEW = 64;
const SIDE = { few: 1024, many: 512 };
/** The archive is put together in memory. */
const MOST_BYTES = 512 * 2 ** 20;

/** Those that trainers of elsewhere have an equivalent of. */
type HandedRecipe = Exclude<Recipe, { method: 'pulid' }>;

/** What the trainers are told: the recipe's own figures where it was made for a large base, else those published for one. */
function trainingOf(recipe: HandedRecipe): HandedTraining {
  const published = publishedTraining(recipe.seed);
  if (recipe.base === EMBEDDED) return { ...published, flip: recipe.flip };
  const { rank, batchSize, learningRate, weightDecay, gradientClip, flip } = recipe;
  const own = { ...published, rank, learningRate: [learningRate, learningRate] as const, batch: [batchSize, batchSize] as const, weightDecay, gradientClip, flip };
  if (!('stage1Steps' in recipe)) return { ...own, steps: [recipe.steps, 0] };
  return {
    ...own, steps: [recipe.stage1Steps, recipe.stage2Steps], learningRate: [learningRate, recipe.studentLearningRate], wordLearningRate: recipe.rowLearningRate, eta: recipe.eta,
    // theirs is fixed: a λ* that is measured has no place to go
    fixedLambda: recipe.lambdaMode === 'fixed' ? recipe.fixedLambda : published.fixedLambda,
  };
}

/** Faults: `run-missing`, those of reading a picture, `file-too-large`. */
export async function handOver(db: Database, raster: Raster, runId: string): Promise<ResultOf<'handOver'>> {
  const run = await getRun(db, runId);
  const recipe = parseRecipe(run.recipe);
  if (recipe.method === 'pulid') throw new Fault('recipe-invalid', 'No other trainer aligns a picture adapter.', 'Learn the person as a thing, and hand that over.', { subject: 'kind' });
  const pictures: HandedPicture[] = [];
  const side = run.pictures.length > FEW ? SIDE.many : SIDE.few;
  let bytesSoFar = 0;
  for (const picture of run.pictures) {
    const png = await cropPng(raster, picture, picture.crop, side);
    bytesSoFar += png.byteLength;
    if (bytesSoFar > MOST_BYTES) throw new Fault('file-too-large', `The ${run.pictures.length} pictures of this run take more than ${MOST_BYTES / 2 ** 20} MB together.`, 'Hand their own files to the trainer instead.');
    pictures.push({ png, captions: picture.captions ?? { complete: '', base: '', target: '' } });
  }
  const { bytes, fileName } = writeHandover({
    name: run.name, kind: recipe.kind, trigger: recipe.kind === 'world' ? '' : spokenWord(recipe), classWord: wordsOf(recipe).classWord.trim(), pictures, training: trainingOf(recipe), recipe: JSON.stringify(recipe, null, 1),
  });
  return { file: new Blob([bytes], { type: 'application/zip' }), fileName };
}
