/** The pictures, captions and recipe that are being put together and have not been learned from yet. Kept, so that a reload loses nothing. */
import type { Captions, ConceptWords } from './captions';
import type { ObjectMask } from './objectMasks';
import type { Crop, PictureInfo } from './pictures';
import type { Recipe } from './recipe';

export interface DataSetPicture {
  pictureId: string;
  crop: Crop;
  captions: Captions;
  /** Of the object in it, where it was brushed; otherwise it is found anew. */
  mask?: ObjectMask;
}
export interface DataSet {
  name: string;
  named: boolean;
  recipe: Recipe;
  /** What the captions were last made for; null where that is the recipe's. */
  captioned: ConceptWords | null;
  pictures: DataSetPicture[];
}

/** As it comes back: read again, each with its file. */
export interface FoundDataSet extends Omit<DataSet, 'pictures'> { pictures: (DataSetPicture & PictureInfo & { file: Blob })[] }
