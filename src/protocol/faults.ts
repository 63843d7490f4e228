/**
 * The closed set of things that can go wrong for a user. A Fault is thrown once, serialized once in the worker and
 * rehydrated once in the client. Its text says what was asked, what was found and what to do next.
 * Programmer errors are not Faults: they use `invariant`.
 */
export const faultCodes = [
  'file-empty', 'file-too-large', 'file-truncated', 'file-not-a-picture', 'picture-too-large', 'picture-too-small', 'too-many-pictures', 'too-few-pictures',
  'recipe-invalid', 'caption-invalid', 'prompt-invalid', 'mix-invalid',
  'mask-empty', 'mask-small', 'mask-full', 'object-unseen', 'face-unseen', 'face-several',
  'network', 'base-incomplete', 'base-corrupt', 'base-mismatch', 'tensor-missing', 'tensor-unknown', 'tensor-shape', 'safetensors-invalid', 'adapter-config',
  'storage-full', 'storage-refused', 'storage-newer', 'run-missing', 'concept-missing', 'file-unrecognised', 'run-elsewhere',
  'backend-unavailable', 'device-lost', 'out-of-memory', 'not-finite', 'aborted', 'worker-crashed', 'busy', 'internal',
] as const;
export type FaultCode = (typeof faultCodes)[number];

export interface FaultData {
  code: FaultCode;
  /** What was asked and found, one or two plain sentences. */
  message: string;
  /** What the user can do about it, one plain sentence; empty where nothing can be done. */
  remedy: string;
  /** What it concerns: a picture id, a file name, a tensor name, a recipe field. */
  subject?: string;
}

export class Fault extends Error {
  override readonly name = 'Fault';
  readonly code: FaultCode;
  readonly remedy: string;
  readonly subject: string | undefined;

  constructor(code: FaultCode, message: string, remedy = '', options: { subject?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.code = code;
    this.remedy = remedy;
    this.subject = options.subject;
  }

  static is(error: unknown, code?: FaultCode): error is Fault {
    return error instanceof Fault && (code === undefined || error.code === code);
  }
}

/** Any thrown value as plain data for the wire; what is not a Fault becomes code `internal` with its own message. */
export function serializeFault(error: unknown): FaultData {
  if (error instanceof Fault) return { code: error.code, message: error.message, remedy: error.remedy, ...(error.subject === undefined ? {} : { subject: error.subject }) };
  if (error instanceof DOMException && error.name === 'AbortError') return { code: 'aborted', message: 'Stopped.', remedy: '' };
  if (error instanceof DOMException && error.name === 'QuotaExceededError') {
    return { code: 'storage-full', message: 'The browser has no room left for this page.', remedy: 'Free some disk space or delete concepts on the Shelf, then try again.' };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { code: 'internal', message, remedy: 'Reload the page; everything up to the last checkpoint is kept.' };
}

export function rehydrateFault(data: FaultData): Fault {
  return new Fault(data.code, data.message, data.remedy, data.subject === undefined ? {} : { subject: data.subject });
}
