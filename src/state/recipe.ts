/** The recipe as the panel edits it. A value that parseRecipe would refuse stays in the field with its reason and out of the recipe. */
import type { FaultData } from '../protocol/faults';
import { defaultRecipe, fieldProblem, metaOf, withPreset, type Recipe, type RecipeKey } from '../protocol/recipe';
import { decodeFragment } from './fragment';
import { startPrompt } from './params';
import { faultOf, type Slice } from './slice';

export interface RecipeSlice {
  recipe: Recipe;
  /** Reasons beside the fields whose typed value was refused. */
  recipeProblems: Partial<Record<RecipeKey, string>>;
  /** A link that could not be read. */
  linkFault: FaultData | null;
  /** Whether the recipe came with a link, which then wins over what an earlier visit left. */
  linkedRecipe: boolean;
  setField(key: RecipeKey, value: unknown): void;
  applyPreset(preset: string): void;
  resetRecipe(): void;
  /** Takes recipe and drawing parameters from a fragment (without #). */
  readLink(fragment: string): void;
  dismissLink(): void;
}

export const recipeSlice: Slice<RecipeSlice> = ({ set, get }) => ({
  recipe: defaultRecipe(),
  recipeProblems: {},
  linkFault: null,
  linkedRecipe: false,

  setField(key, value) {
    const problem = fieldProblem(get().recipe, key, value);
    const { [key]: _cleared, ...others } = get().recipeProblems;
    if (problem) set({ recipeProblems: { ...others, [key]: `${metaOf(get().recipe).fields[key]!.label} ${problem}.` } });
    else set({ recipe: { ...get().recipe, [key]: value }, recipeProblems: others });
  },

  applyPreset: (preset) => set({ recipe: withPreset(get().recipe, preset), recipeProblems: {} }),

  resetRecipe() {
    const { kind, classWord } = get().recipe;
    set({ recipe: { ...defaultRecipe(), kind, classWord }, recipeProblems: {} });
  },

  readLink(fragment) {
    if (fragment === '') return;
    try {
      const { recipe, params } = decodeFragment(fragment);
      if (recipe) set({ recipe, linkedRecipe: true });
      get().setParams(params);
      if (recipe && !get().promptWritten) get().setParams({ prompt: startPrompt(recipe.kind, recipe.classWord) }, false);
      set({ linkFault: null });
    } catch (error) {
      set({ linkFault: faultOf(error) });
    }
  },

  dismissLink: () => set({ linkFault: null }),
});
