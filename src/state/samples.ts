/** The sample sets that ship with the app (public/concepts): their list, and reading one as files with captions. */
import type { Captions, ConceptKind } from '../protocol/captions';
import { readCaptionsFile } from '../formats/captionsFile';
import { Fault } from '../protocol/faults';
import type { Environment } from './client';

/** `somebody`: it is taken up as a face, where the base draws by faces. */
export interface SampleSet { set: string; title: string; short: string; kind: 'instance' | 'style'; somebody?: true; count: number }

/** A test holds this list against the folder. */
export const sampleSets: readonly SampleSet[] = [
  { set: 'guide-dog', title: 'Guide dog', short: 'Guide dog', kind: 'instance', count: 5 },
  { set: 'birthday-cake', title: 'Birthday cake', short: 'Birthday cake', kind: 'instance', count: 5 },
  { set: 'one-eyed-monster', title: 'One-eyed monster', short: 'Monster', kind: 'instance', count: 5 },
  { set: 'redbeard', title: 'Redbeard', short: 'Redbeard', kind: 'instance', count: 5 },
  { set: 'blue-curls', title: 'Blue curls', short: 'Blue curls', kind: 'instance', somebody: true, count: 3 },
  { set: 'duotone', title: 'Duotone', short: 'Duotone style', kind: 'style', count: 5 },
];

export interface Sample { title: string; kind: 'instance' | 'style'; classWord: string; files: { file: Blob; name: string; captions: Captions }[] }

/** What a sample is taken up as. */
export const sampleKind = (set: string, kind: Sample['kind'], faces: boolean): ConceptKind => (faces && sampleSets.some((sample) => sample.set === set && sample.somebody) ? 'person' : kind);

export const samplePath = (set: string, file: string) => `concepts/${set}/${file}`;

/** Throws Fault `network` where a file of the sample cannot be read. */
export async function readSample(env: Pick<Environment, 'read'>, set: string): Promise<Sample> {
  const read = async (file: string) => {
    const response = await env.read(samplePath(set, file)).catch((cause: unknown) => { throw new Fault('network', `The sample “${set}” could not be read.`, 'Try again when there is a network.', { cause }); });
    if (!response.ok) throw new Fault('network', `The sample “${set}” lacks ${file} (status ${response.status}).`, 'Reload the page.');
    return response;
  };
  const found = readCaptionsFile(await (await read('captions.json')).text());
  if (!found) throw new Fault('file-unrecognised', `The captions of the sample “${set}” cannot be read.`, 'Reload the page.');
  const { kind, classWord, images } = found;
  const files = await Promise.all(images.map(async ({ file, complete, base, target }) => ({ file: await (await read(file)).blob(), name: file, captions: { complete, base, target } })));
  return { title: sampleSets.find((sample) => sample.set === set)?.title ?? set, kind, classWord, files };
}
