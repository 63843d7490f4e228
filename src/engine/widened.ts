/**
 * One shader text for two element types. A shader written over `Element` moves single numbers; where the innermost size is
 * a multiple of four it can move four at a time (on SwiftShader, 131,072 of them then take about half as long). WGSL has no
 * generics: the two lines below, which such a shader holds word for word, are exchanged.
 */
import type { Program } from './webgpu/dispatch';

const lines: readonly [one: string, four: string][] = [
  ['alias Element = f32;', 'alias Element = vec4f;'],
  ['fn total(v: Element) -> f32 { return v; }', 'fn total(v: Element) -> f32 { return dot(v, vec4f(1.0)); }'],
];

/** Numbers in an Element for rows (or arrays) of this size. */
export const widthFor = (size: number): 1 | 4 => (size % 4 === 0 ? 4 : 1);

/** The program over elements of `width` numbers; sizes given to it count elements. */
export function widened(program: Program, width: 1 | 4): Program {
  if (width === 1) return program;
  return { ...program, name: `${program.name}_vec4`, code: lines.reduce((code, [one, four]) => code.replace(one, four), program.code) };
}
