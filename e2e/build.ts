/** Builds the app once before the end-to-end tests, if a source is newer than the build. */
import { ensureBuild } from '../scripts/prepare.mjs';

export function setup(): void {
  ensureBuild();
}
