/** A square of a picture, the one that is learned or where the head is: dragged, pinched or moved by arrow keys; the zoom also by its slider. */
import { useEffect, useState } from 'react';
import Cropper, { type Area } from 'react-easy-crop';
import type { Crop } from '../../protocol/pictures';
import type { Card } from '../../state/pictures';
import { Dialog } from '../parts/Dialog';
import { useActions } from '../studio';

const MOST_ZOOM = 8;
/** Smaller pictures are enlarged to about this many pixels, so that the square can be seen well. */
const SHOWN_SIZE = 640;

const enlargement = (bitmap: ImageBitmap): number => Math.max(1, SHOWN_SIZE / Math.max(bitmap.width, bitmap.height));

/** Object URL of a bitmap as PNG; null until it is encoded. */
function useBitmapUrl(bitmap: ImageBitmap | undefined): string | null {
  const [url, setUrl] = useState<string | null>(null);
  useEffect(() => {
    if (!bitmap) return;
    const canvas = document.createElement('canvas');
    Object.assign(canvas, { width: Math.round(bitmap.width * enlargement(bitmap)), height: Math.round(bitmap.height * enlargement(bitmap)) });
    canvas.getContext('2d')?.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    let made = '';
    let gone = false;
    canvas.toBlob((blob) => { if (blob && !gone) setUrl((made = URL.createObjectURL(blob))); });
    return () => { gone = true; if (made !== '') URL.revokeObjectURL(made); };
  }, [bitmap]);
  return url;
}

interface Props { card: Card; title: string; /** What the square says to who can't see it. */ label: string; /** In pixels of the picture. */ start: Crop | null; /** What the button says. */ deed: string; onUse(square: Crop): void; onClose(): void }

/** A square of a card's picture. */
export function SquareDialog({ card, title, label, start: given, deed, onUse, onClose }: Props) {
  const url = useBitmapUrl(card.info?.bitmap);
  const [position, setPosition] = useState({ x: 0, y: 0 });
  const [zoom, setZoom] = useState(1);
  const [area, setArea] = useState<Area | null>(null);
  const scale = card.info ? card.info.width / (card.info.bitmap.width * enlargement(card.info.bitmap)) : 1;
  const start = given ? { x: given.x / scale, y: given.y / scale, width: given.size / scale, height: given.size / scale } : undefined;
  const use = () => {
    if (area && card.info) {
      const size = Math.min(area.width * scale, card.info.width, card.info.height);
      onUse({ x: Math.round(area.x * scale), y: Math.round(area.y * scale), size: Math.round(size) });
    }
    onClose();
  };
  return (
    <Dialog open onClose={onClose} title={title} testId="crop-dialog">
      <div className="crop-area">
        {url && (
          <Cropper image={url} crop={position} zoom={zoom} aspect={1} maxZoom={MOST_ZOOM} initialCroppedAreaPixels={start}
            onCropChange={setPosition} onZoomChange={setZoom} onCropComplete={(_share, pixels) => setArea(pixels)} cropperProps={{ role: 'group', 'aria-label': `${label}; arrow keys move it` }} />
        )}
      </div>
      <label className="slider-row"><span>Zoom</span><input type="range" className="plain-range" min={1} max={MOST_ZOOM} step={0.05} value={zoom} onChange={(event) => setZoom(Number(event.target.value))} /></label>
      <div className="actions">
        <button type="button" className="button" onClick={onClose}>Cancel</button>
        <button type="button" className="button primary" onClick={use}>{deed}</button>
      </div>
    </Dialog>
  );
}

export function CropDialog({ card, onClose }: { card: Card; onClose(): void }) {
  const actions = useActions();
  return <SquareDialog card={card} title="Crop" label="Part that is learned" start={card.crop} deed="Use this part" onUse={(square) => actions.setCrop(card.pictureId, square)} onClose={onClose} />;
}
