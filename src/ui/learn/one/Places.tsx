/** The same, elsewhere: the object in a few other places, drawn when nothing else is asked for. A click takes the place into the prompt. */
import { wordsOf } from '../../../protocol/recipe';
import { PLACES, placePrompts } from '../../../state/places';
import { PictureCanvas } from '../../parts/PictureCanvas';
import { useActions, useStudio } from '../../studio';

export function Places() {
  const actions = useActions();
  const places = useStudio((state) => state.places);
  const classWord = useStudio((state) => wordsOf(state.recipe).classWord);
  const prompt = useStudio((state) => state.prompt);
  const vocabulary = useStudio((state) => state.vocabulary);
  const prompts = placePrompts(classWord, prompt, vocabulary);
  const use = (wanted: string) => {
    actions.setParams({ prompt: wanted });
    void actions.draw();
  };
  return (
    <div className="strip">
      <div className="row"><h2>The same, elsewhere</h2><span className="note">drawn when nothing else is asked for</span></div>
      <ol className="strip-row places" style={{ ['--places' as string]: PLACES }}>
        {prompts.map((each, n) => {
          const picture = places.find((place) => place.prompt === each);
          const place = each.split(' ').slice(classWord.trim() === '' ? 2 : 2 + classWord.trim().split(/\s+/).length).join(' ');
          return (
            <li key={each}>
              <button type="button" className="thumb" data-testid={`place-${n}`} data-state={picture ? 'full' : 'empty'} disabled={!picture} title={each} aria-label={`Draw it ${place}`} onClick={() => use(each)}>
                <PictureCanvas bitmap={picture?.bitmap ?? null} label="" /><span className="thumb-step">{place}</span>
              </button>
            </li>
          );
        })}
      </ol>
    </div>
  );
}
