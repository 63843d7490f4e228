/** The Shelf: keeps what has been learned, opens, exports and imports it. Opening a concept makes it the current one. */
import { loraSites } from '../models/mmdit';
import { sightParts } from '../pipeline/training/sight';
import { cloneConcept, disposeConcept, restoreConcept, storeConcept } from '../pipeline/concept';
import { readLora, type LeftOut } from '../formats/loraFile';
import { writeLora } from '../formats/loraWriter';
import type { StoredTensors } from '../formats/storedTensors';
import { spokenWord } from '../pipeline/prompts';
import { Fault } from '../protocol/faults';
import type { ConceptSummary, Dropped, ExportOptions } from '../protocol/concepts';
import type { ResultOf } from '../protocol/messages';
import { defaultRecipe, metaOf, parseRecipe, wordsOf, type Recipe, type RecipeOf } from '../protocol/recipe';
import type { Measures } from '../protocol/runReport';
import { cleanName, conceptEntry, deleteConcept, getConcept, listConcepts, putConcept, renameConcept, type ConceptEntry } from '../storage/conceptStore';
import type { ConceptRecord } from '../storage/db';
import { getModel } from '../storage/modelStore';
import { finishRun } from '../storage/runStore';
import { storedWord, wordTensors } from '../pipeline/learnedWord';
import { writeLearnedRows } from '../formats/learnedRows';
import type { Current } from './current';
import type { FoundWord } from './learnedWord';
import type { Drawing } from './drawing';
import type { Opening } from './opening';
import { TRANSFORMER_FILE } from '../pipeline/base';
import type { Running } from './running';

export function summary(entry: ConceptEntry): ConceptSummary {
  const recipe = parseRecipe(entry.recipe);
  const { conceptId, name, createdAt, sizeBytes, preview, lambda, base, imported, pictured, lora, wordTokens } = entry;
  return { conceptId, name, createdAt, sizeBytes, preview, lambda, base, imported, pictured, lora, wordTokens, classWord: wordsOf(recipe).classWord, kind: recipe.kind, measures: entry.measures as Measures | null, recipe };
}

/** What another tool's prompt has to say: what the text encoder read at [V], and the class behind it; nothing for a world. */
export function triggerOf(recipe: Recipe): string {
  if (recipe.kind === 'world') return '';
  return recipe.kind === 'style' ? spokenWord(recipe) : `${spokenWord(recipe)} ${recipe.classWord.trim()}`;
}

const rowsOf = (recipe: Recipe): RecipeOf<'purecc'>['studentRows'] => ('studentRows' in recipe ? recipe.studentRows : 'off');

/** Concept rows belong to a student that was trained with them: they are taken only where the file has them and its recipe says so. */
function agreeOnRows({ rows, pooledDelta, ...plain }: StoredTensors, recipe: Recipe | null): { tensors: StoredTensors; recipe: Recipe; note: string | null } {
  const wanted = recipe ? rowsOf(recipe) : 'off';
  const own: Recipe = recipe ?? { ...defaultRecipe(), trigger: '' };
  if (rows && wanted !== 'off') return { tensors: { ...plain, rows, ...(pooledDelta && { pooledDelta }) }, recipe: own, note: null };
  const note = rows
    ? `The file holds concept rows, but ${recipe ? 'its recipe says that it was learned without them' : 'no recipe that says what they are for'}: they are left out.`
    : wanted === 'on' ? 'It was learned with concept rows, which are not in this file: it draws without them, as in other tools.' : null;
  return { tensors: plain, recipe: 'studentRows' in own ? { ...own, studentRows: 'off' } : own, note };
}

const fileStem = (name: string): string => name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-+|-+$/g, '') || 'concept';

const dataUrl = async (picture: Blob): Promise<string> => `data:${picture.type || 'image/png'};base64,${btoa(Array.from(new Uint8Array(await picture.arrayBuffer()), (byte) => String.fromCharCode(byte)).join(''))}`;

/** "12 layers were left out, as this base has no such layer (transformer_blocks.0.ff.net.0.proj and others)." */
function leftOutWords(unmatched: readonly LeftOut[]): string[] {
  return [...new Set(unmatched.map(({ why }) => why))].map((why) => {
    const names = unmatched.filter((each) => each.why === why).map(({ name }) => name);
    return `${names.length === 1 ? '1 part was' : `${names.length} parts were`} left out, because ${why}: ${names[0]}${names.length > 1 ? ' and others' : ''}.`;
  });
}

const ALPHA_ASSUMED = 'How strongly it acts stands in the adapter_config.json beside it, which was not dropped: alpha = rank was assumed. Drop both together to have it right.';

type DroppedConcept = Omit<Extract<Dropped, { kind: 'concept' }>, 'kind'>;

/** [V] is read as the word, which other tools call by its token; the class behind [V] is what it started from. */
const withWord = (recipe: Recipe, { token, startedFrom }: FoundWord): Recipe => ({ ...recipe, ...('trigger' in recipe && { trigger: token, classWord: recipe.classWord || startedFrom }) });

const readsAs = ({ token, startedFrom }: FoundWord): string[] => [`[V] is read as the learned word${token === '' ? '' : ` “${token}”`}${startedFrom === '' ? '' : `, which started from “${startedFrom}”`}.`];

export class Shelf {
  constructor(private readonly opening: Opening, private readonly current: Current, private readonly drawing: Drawing, private readonly running: Running) {}

  async list(): Promise<ConceptSummary[]> {
    return (await listConcepts(await this.opening.db())).map(summary);
  }

  /** Stores the current concept as it is now; a finished run needs no checkpoint any more. */
  async keep(name: string): Promise<ConceptSummary> {
    const current = this.current.value;
    const borrowed = this.current.borrow();
    if (!current || !borrowed) throw new Fault('concept-missing', 'Nothing has been learned yet that could be kept.', 'Learn a concept first.');
    try {
      const db = await this.opening.db();
      const record: ConceptRecord = {
        conceptId: current.conceptId ?? crypto.randomUUID(), name, createdAt: new Date().toISOString(), base: this.opening.baseId, imported: false, recipe: borrowed.recipe, measures: current.measures,
        lambda: borrowed.lambda, preview: await this.drawing.preview(), tensors: await storeConcept(borrowed), captions: current.captions,
        ...(metaOf(borrowed.recipe).pictures.captioned && { pictures: [...current.pictures] }),
      };
      const entry = await putConcept(db, record);
      current.conceptId = record.conceptId;
      current.name = entry.name;
      if (current.runId && borrowed.learned) await finishRun(db, current.runId);
      return summary(entry);
    } finally {
      disposeConcept(borrowed);
    }
  }

  async open(conceptId: string): Promise<ConceptSummary> {
    const record = await getConcept(await this.opening.db(), conceptId);
    const base = await this.opening.base();
    this.opening.expectBase(record.base, record.name);
    const recipe = parseRecipe(record.recipe);
    await this.running.leave();
    const adapters = record.tensors.tokens ? await sightParts(base)?.lease() : null;
    const concept = restoreConcept(record.tensors, recipe, record.lambda, adapters?.part ?? null);
    this.current.set({
      name: record.name, recipe, conceptId, runId: null, captions: record.captions, pictures: record.pictures ?? [], measures: record.measures as Measures | null,
      live: () => true, step: () => null, borrow: () => cloneConcept(concept), dispose: () => { disposeConcept(concept); adapters?.release(); },
    });
    return summary(conceptEntry(record));
  }

  async rename(conceptId: string, name: string): Promise<ConceptSummary> {
    const entry = await renameConcept(await this.opening.db(), conceptId, name);
    if (this.current.value?.conceptId === conceptId) this.current.value.name = entry.name;
    return summary(entry);
  }

  async delete(conceptId: string): Promise<void> {
    await deleteConcept(await this.opening.db(), conceptId);
    const current = this.current.value;
    if (current?.conceptId === conceptId) current.conceptId = null;
  }

  async export(conceptId: string, options: ExportOptions): Promise<ResultOf<'exportConcept'>> {
    const record = await getConcept(await this.opening.db(), conceptId);
    const { stored } = await this.opening.all();
    const recipe = parseRecipe(record.recipe);
    if (recipe.method === 'pulid') throw new Fault('recipe-invalid', `“${record.name}” is what a picture adapter learned of a person, which no other tool reads.`, 'Learn the person as a thing to export a LoRA.', { subject: conceptId });
    const measures = record.measures as Measures | null;
    const likeness = measures && { here: measures.likeness, withoutRows: measures.likenessWithoutRows ?? null, elsewhere: measures.likenessElsewhere ?? null };
    const bytes = await writeLora({
      tensors: record.tensors, name: record.name, trigger: triggerOf(recipe), recipe, usesRows: rowsOf(recipe) !== 'off', base: { id: await this.baseFor(record.base), sha256: (record.base === this.opening.baseId && stored.files[TRANSFORMER_FILE]?.sha256) || '' },
      lambda: record.lambda, likeness, author: options.author.trim(), thumbnail: options.includeThumbnail && record.preview ? await dataUrl(record.preview) : null, captions: record.captions, options, date: new Date().toISOString(),
    });
    const fileName = `${fileStem(record.name)}.safetensors`;
    return { file: new Blob([bytes], { type: 'application/octet-stream' }), fileName, tellsAll: rowsOf(recipe) === 'off', likeness };
  }

  /** The learned word alone, as the text encoders of other tools read it. */
  async exportWord(conceptId: string): Promise<ResultOf<'exportWord'>> {
    const record = await getConcept(await this.opening.db(), conceptId);
    const word = storedWord(record.tensors);
    if (!word) throw new Fault('concept-missing', `“${record.name}” has no learned word: other tools read its class word.`, 'Export its LoRA.', { subject: conceptId });
    const [clipL = null, clipG = null] = word.rows;
    const { trigger, classWord } = wordsOf(parseRecipe(record.recipe));
    const bytes = writeLearnedRows({ clipL, clipG, t5: null, token: trigger || null, startedFrom: classWord || null });
    return { file: new Blob([bytes], { type: 'application/octet-stream' }), fileName: `${fileStem(record.name)}-word.safetensors` };
  }

  /** What a file says of its base: the model's own name, which other programs know ("sd3.5-medium"); an import's id means nothing elsewhere. */
  private async baseFor(base: string): Promise<string> {
    const model = await getModel(await this.opening.db(), base);
    return model ? model.name.toLowerCase().replace(/\s+/g, '-') : base;
  }

  /** A LoRA file becomes a concept on the Shelf, with the adapter_config.json and the learned word that were dropped beside it. What of it could not be taken is said. */
  async import(file: Blob, fileName: string, config: Blob | null = null, word: FoundWord | null = null): Promise<DroppedConcept> {
    const { parts } = await this.opening.base();
    const shapes = await parts.transformer.use((mmdit) => {
      const { depth, hidden, pooledWidth } = mmdit.config;
      return { sites: loraSites(mmdit, 'all'), depth, hidden, pooledWidth };
    });
    const read = await readLora(file, shapes, fileName, config);
    const { about, matched, total } = read;
    const told = about?.recipe ? parseRecipe(about.recipe) : null;
    const { tensors, recipe: plain, note } = agreeOnRows(read.tensors, told);
    const recipe = word ? withWord(plain, word) : plain;
    const entry = await putConcept(await this.opening.db(), {
      conceptId: crypto.randomUUID(), name: cleanName(about?.name || fileName.replace(/\.safetensors$/i, '')), createdAt: new Date().toISOString(), base: this.opening.baseId, imported: true,
      recipe, measures: null, lambda: about?.lambda ?? 1, preview: null, tensors: { ...tensors, ...(word && wordTensors(word.word)) }, captions: [],
    });
    return { concept: summary(entry), matched, total, notes: [...(word ? [...readsAs(word), ...word.notes] : []), ...(note ? [note] : []), ...(read.alphaAssumed ? [ALPHA_ASSUMED] : []), ...leftOutWords(read.unmatched)] };
  }

  /** A learned word alone becomes a concept that changes nothing but what [V] is read as. */
  async importWord(found: FoundWord, fileName: string): Promise<DroppedConcept> {
    const entry = await putConcept(await this.opening.db(), {
      conceptId: crypto.randomUUID(), name: cleanName(found.token.replace(/[<>]/g, '') || fileName.replace(/\.[a-z]+$/i, '')), createdAt: new Date().toISOString(), base: this.opening.baseId, imported: true,
      recipe: withWord({ ...defaultRecipe(), studentRows: 'off' }, found), measures: null, lambda: 1, preview: null, tensors: wordTensors(found.word), captions: [],
    });
    return { concept: summary(entry), matched: 0, total: 0, notes: [...readsAs(found), ...found.notes] };
  }
}
