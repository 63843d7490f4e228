/** Twins of a recorded run: alive before any weight has been loaded, and always labelled as recorded. */
import { nearestPicture, type RecordedExample } from '../../protocol/example';
import { inSentence } from '../format';
import { examplePicture } from '../example';
import { useStudio } from '../studio';
import { ids } from '../testIds';

export function ExampleTwins({ example }: { example: RecordedExample }) {
  const balance = useStudio((state) => state.balance);
  const shown = nearestPicture(example, balance);
  return (
    <div className="twins">
      <figure className="twin" data-testid={ids.twinBase}>
        <figcaption><span className="twin-name base">Base</span><span className="note">“{example.basePrompt}”</span></figcaption>
        <div className="frame"><img className="picture" src={examplePicture(example.baseFile)} alt={`The untouched base draws “${example.basePrompt}”`} /><span className="badge" data-testid={ids.badgeBase}>recorded example</span></div>
      </figure>
      <figure className="twin" data-testid={ids.twinConcept}>
        <figcaption><span className="twin-name concept">With {inSentence(example.name)}</span><span className="note">“{example.prompt}”</span></figcaption>
        <div className="frame">
          {example.pictures.map((picture) => <img key={picture.file} className="picture" src={examplePicture(picture.file)} hidden={picture !== shown} alt={`“${example.prompt}” at balance ${picture.balance}`} />)}
          <span className="badge" data-testid={ids.badgeConcept}>recorded example</span>
        </div>
      </figure>
    </div>
  );
}
