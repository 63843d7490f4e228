/** PEFT saves a LoRA as two files, and only both together say what it is: which of the files that were dropped belong together. */

/** adapter_config.json, or as a browser calls a second download of it. */
export const isAdapterConfig = (name: string): boolean => /^adapter_config( ?\(\d+\))?\.json$/i.test(name);

/** A LoRA with its configuration as one, where there is one of each; else the files as they are, and whoever reads the configuration says what is wrong. */
export function withConfigs<T extends { file: Blob; name: string }>(files: readonly T[]): (T & { config?: Blob })[] {
  const configs = files.filter(({ name }) => isAdapterConfig(name));
  const adapters = files.filter(({ name }) => /\.safetensors$/i.test(name));
  if (configs.length !== 1 || adapters.length !== 1) return [...files];
  return files.filter((each) => each !== configs[0]).map((each) => (each === adapters[0] ? { ...each, config: configs[0]!.file } : each));
}
