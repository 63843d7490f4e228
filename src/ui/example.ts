/** Reads the recorded example once; null while it is not there, where the app was built without one, and with another base than the one it was recorded with. */
import { useEffect, useState } from 'react';
import { parseExample, type RecordedExample } from '../protocol/example';
import { usesEmbedded } from '../state/models';
import { useStudio } from './studio';

const folder = 'example/';
export const examplePicture = (file: string): string => folder + file;

async function readExample(): Promise<RecordedExample | null> {
  const response = await fetch(`${folder}example.json`);
  const isJson = response.ok && (response.headers.get('content-type') ?? '').includes('json');
  return isJson ? parseExample(await response.json()) : null;
}

let reading: Promise<RecordedExample | null> | null = null;

export function useExample(): RecordedExample | null {
  const ofThisBase = useStudio(usesEmbedded);
  const [example, setExample] = useState<RecordedExample | null>(null);
  useEffect(() => {
    reading ??= readExample().catch((error: unknown) => {
      console.warn(error instanceof Error ? error.message : error);
      return null;
    });
    void reading.then(setExample);
  }, []);
  return ofThisBase ? example : null;
}
