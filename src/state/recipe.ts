/** The recipe as the panel edits it. A value that parseRecipe would refuse stays in the field with its reason and out of the recipe. */
import type { FaultData } from '../protocol/faults';
import type { MethodId } from '../methods/metas';
import type { ConceptKind } from '../protocol/captions';
import { defaultRecipe, fieldProblem, metaOf, methodOfKind, onBase, withPreset, wordsOf, type Recipe, type RecipeKey } from '../protocol/recipe';
import { decodeFragment } from './fragment';
import { faultOf, type Slice } from './slice';

export interface RecipeSlice {
  recipe: Recipe;
  /** Reasons beside the fields whose typed value was refused. */
  recipeProblems: Partial<Record<RecipeKey, string>>;
  /** A link that could not be read. */
  linkFault: FaultData | null;
  /** Whether the recipe came with a link, which then wins over what an earlier visit left. */
  linkedRecipe: boolean;
  /** Recipes of other methods, as they were when another kind of concept was chosen. */
  recipesAside: Partial<Record<MethodId, Recipe>>;
  /** A field that the recipe's method does not have stays unset. */
  setField(key: RecipeKey, value: unknown): void;
  /** The recipe of the method that learns such a concept. */
  takeKind(kind: ConceptKind): void;
  applyPreset(preset: string): void;
  resetRecipe(): void;
  /** Takes recipe and drawing parameters from a fragment (without #). */
  readLink(fragment: string): void;
  dismissLink(): void;
}

export const recipeSlice: Slice<RecipeSlice> = ({ set, get, env }) => {
  env.client.on('ready', ({ base }) => {
    const { recipe, recipesAside } = get();
    if (recipe.base !== base) set({ recipe: onBase(recipe, base), recipesAside: Object.fromEntries(Object.entries(recipesAside).map(([method, aside]) => [method, onBase(aside, base)])) });
  });

  return {
    recipe: defaultRecipe(),
    recipeProblems: {},
    recipesAside: {},
    linkFault: null,
    linkedRecipe: false,

    setField(key, value) {
      if (!Object.hasOwn(metaOf(get().recipe).fields, key)) return;
      const problem = fieldProblem(get().recipe, key, value);
      const { [key]: _cleared, ...others } = get().recipeProblems;
      if (problem) set({ recipeProblems: { ...others, [key]: `${metaOf(get().recipe).fields[key]!.label} ${problem}.` } });
      else set({ recipe: { ...get().recipe, [key]: value }, recipeProblems: others });
    },

    takeKind(kind) {
      const { recipe, recipesAside, recipeProblems } = get();
      const method = methodOfKind(kind);
      const stays = method === recipe.method;
      const next = stays ? recipe : (recipesAside[method] ?? defaultRecipe(undefined, recipe.base, method));
      set({ recipe: { ...next, kind } as Recipe, recipesAside: { ...recipesAside, [recipe.method]: recipe }, recipeProblems: stays ? recipeProblems : {} });
    },

    applyPreset: (preset) => set({ recipe: withPreset(get().recipe, preset), recipeProblems: {} }),

    resetRecipe() {
      const { recipe } = get();
      const fresh: Recipe = defaultRecipe(undefined, recipe.base, recipe.method);
      const { kind, classWord } = wordsOf(recipe);
      set({ recipe: 'classWord' in fresh ? ({ ...fresh, kind, classWord } as Recipe) : fresh, recipeProblems: {} });
    },

    readLink(fragment) {
      if (fragment === '') return;
      try {
        const { recipe, params, mix } = decodeFragment(fragment);
        if (mix) get().openMix(mix);
        if (recipe) set({ recipe: onBase(recipe, get().usedBase.id), linkedRecipe: true });
        get().setParams(params);
        if (recipe) get().suggestPrompt();
        set({ linkFault: null });
      } catch (error) {
        set({ linkFault: faultOf(error) });
      }
    },

    dismissLink: () => set({ linkFault: null }),
  };
};
