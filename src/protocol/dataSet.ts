/** The pictures, captions and recipe that are being put together and have not been learned from yet. Kept, so that a reload loses nothing. */
import type { Captions, ConceptWords } from './captions';
import type { Crop, MeantPart, PictureInfo } from './pictures';
import type { Recipe } from './recipe';

export interface DataSetPicture extends MeantPart { pictureId: string; crop: Crop; captions: Captions }
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
