/** The pictures, captions and recipe that are being put together and have not been learned from yet. Kept, so that a reload loses nothing. */
import type { Captions, ConceptWords } from './captions';
import type { ObjectMask } from './objectMasks';
import type { Square } from './objects';
import type { Crop, PictureInfo } from './pictures';
import type { Recipe } from './recipe';

export interface DataSetPicture {
  pictureId: string;
  crop: Crop;
  captions: Captions;
  /** Of the object in it, where it was brushed; otherwise it is found anew. */
  mask?: ObjectMask;
  /** Of the head in it, where somebody said which or where; otherwise it is found anew. */
  head?: Square;
}
export interface DataSet {
  name: string;
  named: boolean;
  recipe: Recipe;
  /** What the captions were last made for; null where that is the recipe's. */
  captioned: ConceptWords | null;
  pictures: DataSetPicture[];
}

/**
 * Where a data set lies: 0 the one that was put together first; above it those that were made of an opened card or taken up in its
 * stead, while what lies below waits.
 */
export type DataSetLevel = number;

/** The uppermost as it comes back: read again, each picture with its file. */
export interface FoundDataSet extends Omit<DataSet, 'pictures'> { level: DataSetLevel; pictures: (DataSetPicture & PictureInfo & { file: Blob })[] }
