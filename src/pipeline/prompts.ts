import type { Base, EncodedPrompts } from './base';
export declare function encodePrompts(base: Base, prompts: readonly string[], classWord: string): EncodedPrompts;
export declare function disposePrompts(words: EncodedPrompts): void;
