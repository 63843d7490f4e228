/** Tensors as plain data: what the database keeps of a concept and what a LoRA file is written from. Data is row-major, length = product of shape. */
export type StoredTensors = Record<string, { shape: number[]; data: Float32Array }>;
