/** Where pictures are dropped, picked or pasted. Large on the first visit, one tile once there are cards. */
import { useDropzone } from 'react-dropzone';
import { Mark } from '../parts/Mark';
import { useActions, useStudio } from '../studio';
import { ids } from '../testIds';

export function DropZone({ tile }: { tile?: boolean }) {
  const actions = useActions();
  const world = useStudio((state) => state.recipe.kind === 'world');
  const objects = useStudio((state) => state.ready?.objects ?? false);
  const { getRootProps, getInputProps, isDragActive, open } = useDropzone({
    noClick: true,
    noKeyboard: true,
    // Files dropped beside the zone are the page's (usePageFiles).
    preventDropOnDocument: false,
    onDrop: (files) => void actions.addFiles(files.map((file) => ({ file, name: file.name }))),
  });
  const input = <input {...getInputProps({ 'aria-label': 'Pictures to learn from' })} data-testid={ids.dropInput} />;
  if (tile) {
    return (
      <div {...getRootProps({ role: 'presentation', tabIndex: undefined })} data-testid={ids.dropZone}>
        {input}
        <button type="button" className="drop-tile" data-active={isDragActive || undefined} onClick={open}>Drop or paste more</button>
      </div>
    );
  }
  return (
    <div {...getRootProps({ role: 'group', 'aria-label': 'Drop pictures here', tabIndex: undefined })} className="drop-zone" data-active={isDragActive || undefined} data-testid={ids.dropZone}>
      {input}
      <Mark size={40} outline />
      <p className="drop-title">{world ? 'Drop a folder of pictures' : objects ? 'Drop one picture, or more' : 'Drop 3 to 10 pictures'}</p>
      <p className="muted">{world ? '20 to 2,000 that belong together, without captions.' : objects ? 'One is drawn elsewhere at once; 3 to 10 of one thing or one style are learned.' : 'of one thing or one style.'}<br />PNG, JPEG, WebP, AVIF, any size.</p>
      <button type="button" className="button" onClick={open}>Choose files</button>
      <p className="note">or paste from the clipboard</p>
      <button type="button" className="link" data-testid={ids.worldLink} onClick={() => actions.setKind(world ? 'instance' : 'world')}>{world ? 'Or learn a thing or a style' : 'Or learn a world of pictures'}</button>
    </div>
  );
}
