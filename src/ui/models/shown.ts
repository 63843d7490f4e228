/** What the Models page shows of the store: which cards there are, which one is open, and what stands in the table of its parts. */
import { precisionOf, type ImportProgress, type KeptAs, type KeptPrecision, type ModelPart, type ModelSummary, type ModelSurvey } from '../../protocol/models';
import { FOUND } from '../../state/models';
import { megabytes, roughly } from '../format';

const isOf = (survey: ModelSurvey | null, modelId: string): boolean => survey !== null && modelId.startsWith(`${survey.fingerprint}-`);

/** Models with a card of their own: an unfinished one whose files are there again is the card of those files. */
export const listed = (models: readonly ModelSummary[], survey: ModelSurvey | null): ModelSummary[] => models.filter(({ modelId, installed }) => installed || !isOf(survey, modelId));

/** The model in the middle; `found` for what the given files would become. */
export function shownOf(models: readonly ModelSummary[], survey: ModelSurvey | null, shownModel: string | null, used: string | null): ModelSummary | typeof FOUND | null {
  const here = listed(models, survey);
  if (survey && (shownModel === FOUND || (shownModel !== null && !here.some(({ modelId }) => modelId === shownModel) && isOf(survey, shownModel)))) return FOUND;
  return here.find(({ modelId }) => modelId === shownModel) ?? here.find(({ modelId }) => modelId === used) ?? here[0] ?? null;
}

export interface PartRow {
  folder: string;
  label: string;
  detail: string;
  optional: boolean;
  as: string;
  /** In which of several precisions; null where there is no choice. */
  bits: KeptPrecision | null;
  inFile: string;
  here: string;
  state: string;
  tone: 'good' | 'base' | 'warn' | 'bad' | 'plain';
}

const EMPTY = '–';
const LONG_PROMPTS = 'absent: prompts work without it, long ones less exactly';

/** T5 is missed only where SD3's other two encoders are. */
function absentRows(parts: readonly { folder: string }[]): PartRow[] {
  const has = (folder: string) => parts.some((part) => part.folder === folder);
  return has('text_encoder_2') && !has('text_encoder_3') ? [{ folder: 'text_encoder_3', label: 'Text encoder T5-XXL', detail: '', optional: true, as: EMPTY, bits: null, inFile: EMPTY, here: EMPTY, state: LONG_PROMPTS, tone: 'plain' }] : [];
}

const sized = ({ folder, label, detail, sourceBytes }: ModelPart) => ({ folder, label, detail, optional: false, bits: null, inFile: megabytes(sourceBytes) });

/** Before this the rate of the first tensors says little. */
const SOUND_BYTES = 16e6;

/** Seconds that an import still takes; null before its rate is known. */
export function secondsLeft({ readBytes, sourceBytes, bytesPerSecond }: ImportProgress): number | null {
  return bytesPerSecond > 0 && readBytes > Math.min(SOUND_BYTES, sourceBytes / 20) ? (sourceBytes - readBytes) / bytesPerSecond : null;
}

const paceWords = (progress: ImportProgress): string[] => {
  const left = secondsLeft(progress);
  return left === null ? [] : [`${megabytes(progress.bytesPerSecond)}/s`, `${roughly(left)} left`];
};

/** The parts among the files, as they would be kept; while they are imported, how far each is. */
export function foundRows({ parts, lacking }: ModelSurvey, kept: KeptAs, progress: ImportProgress | null, importing: boolean): PartRow[] {
  const at = progress ? parts.findIndex(({ folder }) => folder === progress.folder) : -1;
  const stateOf = (n: number): Pick<PartRow, 'state' | 'tone'> => {
    if (!importing) return { state: 'found', tone: 'plain' };
    if (n > at) return { state: 'waiting', tone: 'plain' };
    if (n < at || progress!.done === progress!.total) return { state: '✓ stored', tone: 'good' };
    return { state: [`tensor ${progress!.done + 1} of ${progress!.total}`, ...paceWords(progress!)].join(' · '), tone: 'base' };
  };
  return [
    ...parts.map((part, n): PartRow => {
      const bits = precisionOf(kept, part.folder);
      return { ...sized(part), as: part.precision === null ? 'as it is' : bits, bits: part.precision === null || importing ? null : bits, here: megabytes(part.storedAs[bits]), ...stateOf(n) };
    }),
    ...lacking.map((label): PartRow => ({ folder: label, label, detail: '', optional: false, as: EMPTY, bits: null, inFile: EMPTY, here: EMPTY, state: 'needed: drop its file as well', tone: 'warn' })),
    ...absentRows(parts),
  ];
}

/** damaged: labels of parts, as the newest check has them; null where none was made. */
export function modelRows({ parts, kind }: ModelSummary, checking: boolean, damaged: readonly { label: string; tensors: number }[] | null): PartRow[] {
  const stateOf = ({ label, state }: ModelPart): Pick<PartRow, 'state' | 'tone'> => {
    const broken = damaged?.find((each) => each.label === label);
    if (broken) return { state: `${broken.tensors} damaged`, tone: 'bad' };
    if (state === 'stored') return checking ? { state: 'being checked', tone: 'base' } : damaged ? { state: '✓ checked', tone: 'good' } : { state: '✓ stored', tone: 'good' };
    return state === 'importing' ? { state: 'partly here', tone: 'warn' } : { state: 'not here yet', tone: 'plain' };
  };
  return [...parts.map((part): PartRow => ({ ...sized(part), as: kind === 'embedded' ? 'f16' : part.precision ?? 'as it is', here: part.storedBytes > 0 ? megabytes(part.storedBytes) : EMPTY, ...stateOf(part) })), ...absentRows(parts)];
}

/** "a.safetensors and 2 more". */
export function fromWords(names: readonly string[]): string {
  const plain = names.map((name) => name.split('/').at(-1)!).filter((name) => /\.(safetensors|sft)$/i.test(name));
  const [first = names[0] ?? '', second] = plain;
  return plain.length === 2 ? `${first} and ${second}` : plain.length > 2 ? `${first} and ${plain.length - 1} more files` : first;
}
