/**
 * The names by which end-to-end tests and `npm run demo` find what a user sees (data-testid). Stable: tests break when they change.
 *
 * In      drop-input (file input, hidden), drop-zone, sample-<set> (buttons: sample-guide-dog …), card-<n> (from 0), card-remove-<n>,
 *         card-error-<n>, crop-<n>, class-word, kind-instance, kind-style, kind-world, kind-person (where the base sees pictures), world-link (on the first visit), caption-complete, caption-base, caption-target (textareas;
 *         the last two in captions-fold, which opens by its summary), fit-check, fit-warning, undo, outside-warning, learn
 * One     mask-picture (data-found, data-fault), mask-brush, mask-erase, mask-invert, mask-again, object-size, object-likeness, object-copied, single-reference, learn-properly, keep-card,
 *         back-to-one, place-<n> (buttons with a canvas); the likeness slider is balance, the noun class-word
 *         of a face also head-frame (the head that is looked at), head-<n> (buttons, where several stand out), head-move (frames it by hand), look-faithful, look-plain, look-style, start-step
 * Out     heat (a button on the concept's picture: what differs from the base) and heat-share; twin-base, twin-concept (figures; each holds one <canvas>, readable by toDataURL, and a badge), badge-base, badge-concept
 *         (texts: "draft", "12 of 20 steps", "20 steps · 1.4 s", "recorded example"), prompt, seed, draw, cancel-draw, more,
 *         negative, steps, guidance, sampler (a select), skip-layers (a switch, on models of SD3.5 Medium's kind), balance (an <input type=range>: its value, its arrow keys), balance-value, lambda, strip-<step> (buttons with a canvas), save-picture
 * Run     progress, step-text ("212 / 800" over both stages), time-left, pause, resume, stop, step, go-on (after Stop), more-steps and learn-more (after the last step), phase (text of the run's state),
 *         measure, cancel-measure, verdict, whole, elsewhere, save-sheet, save-report, likeness, drift, chart-loss, chart-lambda, chart-sigma (with charts-by-step, charts-by-sigma), recipe (opens the panel), recipe-<key> (every recipe
 *         field by its key: recipe-stage1Steps …), preset-lamina, preset-paper, keep, concept-name, new-concept
 * Shelf   tab-learn, tab-shelf, shelf, concept-<n>, concept-open-<n> (concept-model-<n> for one of another model), concept-rename-<n>, concept-delete-<n>, concept-export-<n>, confirm-delete,
 *         export-dialog, export-rows, export-captions, export-save, export-states, likeness-elsewhere, export-thumbnail, export-kohya, export-author, import-input
 *         card-kept-<n> (cards of pictures), card-open-<n>, card-rename-<n>, card-export-<n>, card-delete-<n>
 * Mix     tab-mix, mix-guidance-<n> (rows from 0; each with mix-weight-<n> (range), mix-solo-<n>, mix-mute-<n>, mix-mask-<n>, mix-curve-<n>, mix-up-<n>, mix-remove-<n>,
 *         mix-words-<n>, where a card can't act mix-silent-<n> says why, mix-again-<n> takes one of its name), mix-add, mix-add-text, mix-add-<conceptId>, mix-add-card-<cardId>, mix-picture, mix-merged (figures with a canvas and a badge), mix-prompt, mix-seed, mix-draw, mix-stop, mix-more,
 *         mix-draw-merged, mix-seed-<seed>, mix-pad, mix-preset-<name>, mix-overlap, mix-together, mix-by-hand, mix-option-<name>, mix-curve, mix-start-input, mix-copy, mix-keep, mix-evaluations
 * Models  tab-models, models, model-<n> (cards from 0; data-model has the id, "found" for given files), model-drop, model-input, model-folder (file inputs), model-address, model-token, model-add, model-name, model-part-<folder> (rows),
 *         precision-f16, precision-int8, precision-int4, model-import, model-stop, model-continue, model-forget, model-check, model-delete, confirm-delete, model-use, model-checked, model-side, side-512, side-768, side-1024, model-fits, adapter-<GB>, weight-room-<fits, GB or all>, model-read, model-stored, model-rate, model-left
 * Device  base-status (data-ready="true" once the base is in), compute (data-backend="wasm"), loading-bar, fault (any error text), restarting,
 *         resume-banner, resume-continue, resume-discard, confirm-discard, run-elsewhere, resume-take-over, update-prompt
 * Engine  hud (only with ?hud), hud-<figure> (hud-step, hud-kernels, hud-tensors, hud-bytes, hud-gpu, hud-heap), hud-top (the longest kernels)
 */
export const ids = {
  dropInput: 'drop-input', dropZone: 'drop-zone', classWord: 'class-word', kindInstance: 'kind-instance', kindStyle: 'kind-style', kindWorld: 'kind-world', kindPerson: 'kind-person', worldLink: 'world-link',
  captionComplete: 'caption-complete', captionBase: 'caption-base', captionTarget: 'caption-target',
  captionsFold: 'captions-fold', fitCheck: 'fit-check', fitWarning: 'fit-warning', outsideWarning: 'outside-warning', learn: 'learn', undo: 'undo',
  maskPicture: 'mask-picture', byFace: 'by-face', headFrame: 'head-frame', headMove: 'head-move', startStep: 'start-step', faceShare: 'face-share', heat: 'heat', heatShare: 'heat-share', maskBrush: 'mask-brush', maskErase: 'mask-erase', maskInvert: 'mask-invert', maskAgain: 'mask-again',
  objectSize: 'object-size', objectLikeness: 'object-likeness', objectCopied: 'object-copied', singleReference: 'single-reference', learnProperly: 'learn-properly', keepCard: 'keep-card', backToOne: 'back-to-one',
  twinBase: 'twin-base', twinConcept: 'twin-concept', badgeBase: 'badge-base', badgeConcept: 'badge-concept',
  prompt: 'prompt', seed: 'seed', draw: 'draw', cancelDraw: 'cancel-draw', more: 'more', negative: 'negative', steps: 'steps', guidance: 'guidance', sampler: 'sampler', skipLayers: 'skip-layers',
  balance: 'balance', balanceValue: 'balance-value', lambda: 'lambda', savePicture: 'save-picture',
  progress: 'progress', stepText: 'step-text', timeLeft: 'time-left', pause: 'pause', resume: 'resume', stop: 'stop', step: 'step', phase: 'phase',
  measure: 'measure', cancelMeasure: 'cancel-measure', verdict: 'verdict', whole: 'whole', elsewhere: 'elsewhere', saveSheet: 'save-sheet', saveReport: 'save-report', likeness: 'likeness', drift: 'drift', chartLoss: 'chart-loss', chartLambda: 'chart-lambda', chartSigma: 'chart-sigma',
  chartsByStep: 'charts-by-step', chartsBySigma: 'charts-by-sigma', recipe: 'recipe',
  handOver: 'hand-over', handOverDialog: 'hand-over-dialog', handOverSave: 'hand-over-save',
  keep: 'keep', conceptName: 'concept-name', newConcept: 'new-concept',
  tabLearn: 'tab-learn', tabShelf: 'tab-shelf', shelf: 'shelf', confirmDelete: 'confirm-delete',
  exportDialog: 'export-dialog', exportRows: 'export-rows', exportCaptions: 'export-captions', exportSave: 'export-save', exportStates: 'export-states',
  likenessElsewhere: 'likeness-elsewhere', exportThumbnail: 'export-thumbnail', exportWord: 'export-word', exportKohya: 'export-kohya', exportAuthor: 'export-author', importInput: 'import-input',
  tabMix: 'tab-mix', mixAdd: 'mix-add', mixPicture: 'mix-picture', mixMerged: 'mix-merged', mixPrompt: 'mix-prompt', mixSeed: 'mix-seed', mixDraw: 'mix-draw', mixStop: 'mix-stop', mixMore: 'mix-more', mixDrawMerged: 'mix-draw-merged',
  mixPad: 'mix-pad', mixOverlap: 'mix-overlap', mixTogether: 'mix-together', mixByHand: 'mix-by-hand', mixCurve: 'mix-curve', mixStartInput: 'mix-start-input', mixCopy: 'mix-copy', mixKeep: 'mix-keep', mixEvaluations: 'mix-evaluations',
  tabModels: 'tab-models', models: 'models', modelDrop: 'model-drop', modelInput: 'model-input', modelFolder: 'model-folder', modelAddress: 'model-address', modelToken: 'model-token', modelAdd: 'model-add', modelName: 'model-name',
  modelImport: 'model-import', modelStop: 'model-stop', modelContinue: 'model-continue', modelForget: 'model-forget', modelCheck: 'model-check', modelDelete: 'model-delete', modelUse: 'model-use', modelChecked: 'model-checked',
  modelSide: 'model-side', modelFits: 'model-fits', modelRead: 'model-read', modelStored: 'model-stored', modelRate: 'model-rate', modelLeft: 'model-left',
  baseStatus: 'base-status', compute: 'compute', loadingBar: 'loading-bar', fault: 'fault', restarting: 'restarting',
  resumeBanner: 'resume-banner', resumeContinue: 'resume-continue', resumeDiscard: 'resume-discard', resumeTakeOver: 'resume-take-over', runElsewhere: 'run-elsewhere', confirmDiscard: 'confirm-discard', goOn: 'go-on', learnMore: 'learn-more', moreSteps: 'more-steps', updatePrompt: 'update-prompt',
  hud: 'hud', hudTop: 'hud-top',
} as const;

export const sampleId = (set: string) => `sample-${set}`;
export const cardId = (n: number) => `card-${n}`;
export const presetId = (name: string) => `preset-${name}`;
export const fieldId = (key: string) => `recipe-${key}`;
/** A control of the n-th guidance of a mix. */
export const mixRowId = (part: 'guidance' | 'weight' | 'solo' | 'mute' | 'mask' | 'curve' | 'up' | 'remove' | 'words' | 'silent' | 'again', n: number) => `mix-${part}-${n}`;
