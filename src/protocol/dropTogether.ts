/** Which of the files that were dropped belong together: PEFT saves a LoRA as two, and a word that was learned with it is in another. */

export interface NamedFile { file: Blob; name: string }

/** adapter_config.json, or as a browser calls a second download of it. */
export const isAdapterConfig = (name: string): boolean => /^adapter_config( ?\(\d+\))?\.json$/i.test(name);
/** learned_embeds.pt or .safetensors, or whatever else can hold a word and no LoRA. */
const isWord = (name: string): boolean => /\.(pt|bin)$/i.test(name) || /embed(s|ding|dings)?\b[^/]*\.safetensors$/i.test(name.replaceAll('_', ' '));

/** A LoRA with its configuration and its word as one, where there is one LoRA and at most one of each; else the files as they are, and whoever reads them says what is wrong. */
export function dropTogether<T extends NamedFile>(files: readonly T[]): (T & { config?: Blob; word?: NamedFile })[] {
  const [configs, words] = [files.filter(({ name }) => isAdapterConfig(name)), files.filter(({ name }) => isWord(name))];
  const adapters = files.filter((each) => /\.safetensors$/i.test(each.name) && !words.includes(each));
  if (adapters.length !== 1 || configs.length > 1 || words.length > 1) return [...files];
  const [config, word] = [configs[0], words[0]];
  return files.filter((each) => each !== config && each !== word)
    .map((each) => (each === adapters[0] ? { ...each, ...(config && { config: config.file }), ...(word && { word: { file: word.file, name: word.name } }) } : each));
}
