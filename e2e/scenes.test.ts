/**
 * The page over a made-up worker, so without computing: axe in every state and both themes, targets on touch, one filled button,
 * nothing that moves when a state changes, tabs in the history, charts that follow the theme.
 */
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Scenes } from '../scripts/scenes.mjs';
import type { Studio } from '../src/state/slice';
import type { FakeClient } from '../src/testing/studio/fakeClient';
import { scenes } from '../src/testing/studio/scenes';
import { fakeRun } from '../src/testing/studio/fakeClient';
import { ids } from '../src/ui/testIds';
import { colours, violations } from './axe';

/** What src/testing/studio/main.tsx leaves in the page. */
declare global { var studio: Studio, client: FakeClient }

const names = Object.keys(scenes);
const desk = { width: 1440, height: 900 };
let stage: Scenes;
let page: Page;
let phone: Page;
const errors: string[] = [];
beforeAll(async () => {
  stage = await Scenes.open();
  const onError = (message: string) => errors.push(message);
  page = await stage.page(desk, { onError });
  phone = await stage.page({ width: 390, height: 844 }, { touch: true, onError });
});
afterAll(() => stage.close());

it.each(names)('reads well in both themes, with at most one filled button: %s', async (scene) => {
  await stage.play(page, scene);
  expect(await violations(page), 'dark').toEqual([]);
  await page.evaluate(() => globalThis.studio.getState().setTheme('light'));
  await page.waitForTimeout(100);
  expect(await violations(page, colours), 'light').toEqual([]);
  expect(errors).toEqual([]);
  const scope = (await page.locator('[role=dialog]').count()) > 0 ? '[role=dialog] ' : '';
  expect((await page.locator(`${scope}.button.primary:not([disabled]):visible`).allTextContents()).slice(1)).toEqual([]);
});

/** What can be pressed on the phone's page and is less than 44 px wide or high. */
const smallTargets = () => phone.evaluate(() => [...document.querySelectorAll<HTMLElement>('button, summary, input:not([type=file]), textarea, select, a, [role=menuitem], [role=menuitemcheckbox]')].flatMap((element) => {
  // a switch reaches as far as its ::after
  if (!element.checkVisibility() || element.closest('[data-readonly], .visually-hidden') || element.hasAttribute('readonly') || (element as HTMLButtonElement).disabled) return [];
  const after = getComputedStyle(element, '::after');
  const [dx, dy] = after.content === 'none' ? [0, 0] : [-2 * Number.parseFloat(after.left), -2 * Number.parseFloat(after.top)];
  const { width, height } = element.getBoundingClientRect();
  return width + dx >= 44 && height + dy >= 44 ? [] : [`${element.dataset.testid ?? element.textContent} ${Math.round(width)} × ${Math.round(height)}`];
}));

it.each(['ready', 'dropped', 'unnamed', 'faults', 'learning', 'paused', 'stopped', 'finished', 'measured', 'measuring', 'concept', 'world', 'world-learning', 'recipe', 'export', 'shelf', 'one-picture', 'one-picture-brush', 'one-picture-learn', 'one-face-mixed', 'mix', 'mix-cards', 'mix-empty', 'mix-painting', 'shelf-cards', 'models-found', 'models-checked', 'models-unfinished'])('has targets of 44 px on touch: %s', async (scene) => {
  await stage.play(phone, scene);
  expect(await smallTargets()).toEqual([]);
});

it.each(['mix-mask-1', 'mix-curve-1', ids.mixAdd])('has targets of 44 px on touch in the menu of %s', async (id) => {
  await stage.play(phone, 'mix');
  await phone.getByTestId(id).tap();
  await phone.getByRole('menu').waitFor();
  expect(await smallTargets()).toEqual([]);
});

describe('on a phone', () => {
  const bar = (id: string) => phone.locator('.phone-bar').getByTestId(id);
  const asked = (name: string) => phone.evaluate((wanted) => globalThis.client.asked.filter((each) => each.name === wanted).map(({ params }) => params), name);

  it.each([['stopped', ids.goOn, {}], ['finished', ids.learnMore, { more: 100 }]] as const)('a run that is %s goes on or is kept at the lower edge', async (scene, id, more) => {
    await stage.play(phone, scene);
    expect(await phone.getByTestId(id).count()).toBe(1);
    expect(await bar(ids.keep).isEnabled()).toBe(true);
    await bar(id).tap();
    expect(await asked('continueRun')).toEqual([{ runId: 'run-1', takeOver: false, ...more }]);
  });

  it('one picture is learned properly from the lower edge, and Learn is there then', async () => {
    await stage.play(phone, 'one-picture');
    expect(await phone.getByTestId(ids.learnProperly).count()).toBe(1);
    await bar(ids.learnProperly).tap();
    await bar(ids.learn).waitFor();
  });

  it.each(['stopped', 'finished', 'one-picture', 'dropped', 'learning', 'faulty-learn'])('the bar covers nothing at the end of the page: %s', async (scene) => {
    await stage.play(phone, scene);
    const [last, top] = await phone.evaluate(() => {
      scrollTo(0, document.body.scrollHeight);
      const bottoms = [...document.querySelectorAll('.learn > :not(.phone-bar) :is(button, p, input, h2)')].map((each) => each.getBoundingClientRect().bottom);
      return [Math.max(...bottoms), document.querySelector('.phone-bar')!.getBoundingClientRect().top];
    });
    expect(last).toBeLessThanOrEqual(top!);
  });
});

it('takes a stroke of the brush back as one', async () => {
  await stage.play(page, 'one-picture-brush');
  const picture = page.getByTestId(ids.maskPicture);
  const box = (await picture.boundingBox())!;
  const along = async (from: number) => {
    await page.mouse.move(box.x + from * box.width, box.y + 0.1 * box.height);
    await page.mouse.down();
    await page.mouse.move(box.x + (from + 0.2) * box.width, box.y + 0.15 * box.height, { steps: 8 });
    await page.mouse.up();
  };
  const found = () => picture.getAttribute('data-found');
  await along(0.1);
  await along(0.6);
  expect(await found()).toBe('false');
  await page.getByTestId(ids.undo).click();
  expect(await found()).toBe('false');
  await page.getByTestId(ids.undo).click();
  expect(await found()).toBe('true');
});

it('says what is missing where nothing can be drawn yet', async () => {
  await stage.play(page, 'unnamed');
  expect(await page.getByTestId(ids.draw).isDisabled()).toBe(true);
  expect(await page.getByTestId(ids.twinBase).textContent()).toContain('Give the class word, and the base draws.');
  await page.getByTestId(ids.classWord).fill('dog');
  expect(await page.getByTestId(ids.twinBase).textContent()).toContain('Draw to see what the base makes of the prompt.');
});

it('names the unit of the balance once', async () => {
  await stage.play(page, 'concept');
  expect((await page.locator('.learn').innerText()).match(/λ\*/g)).toHaveLength(1);
});

/** Where everything of this page stands that a user looks at or aims for. */
const places = (of: Page, wanted: readonly string[]) => of.evaluate((all) => Object.fromEntries(all.map((id) => {
  const box = document.querySelector(`[data-testid="${id}"]`)?.getBoundingClientRect();
  return [id, box && [box.x, box.y, box.width, box.height].map(Math.round).join(' ')];
})), wanted);

describe('nothing moves', () => {
  const out = [ids.twinBase, ids.twinConcept, ids.prompt, ids.seed, ids.balance];

  it('when the balance comes alive, words are unknown, a draw fails, a banner comes', async () => {
    await stage.play(page, 'dropped');
    const before = await places(page, [...out, ids.learn]);
    const after = async (change: () => void) => { await page.evaluate(change); return places(page, [...out, ids.learn]); };
    expect(await after(() => globalThis.studio.getState().setParams({ prompt: 'a [V] dog riding a unicorn' }))).toEqual(before);
    expect(await after(() => globalThis.studio.setState({ drawFault: { code: 'prompt-invalid', message: 'The prompt has 94 tokens; this base reads 77.', remedy: 'Shorten it.' } }))).toEqual(before);
    expect(await after(() => globalThis.client.emit('restarting', { message: 'The browser ended the worker.' }))).toEqual(before);
    expect(await after(() => globalThis.studio.setState({ drawing: true }))).toMatchObject({ ...before });
  });

  it.each([[1440, 900], [1024, 768], [1024, 1500], [390, 844]])('of the way to begin when Learn fails, at %i × %i', async (width, height) => {
    const of = width < 760 ? phone : page;
    await of.setViewportSize({ width, height });
    await stage.play(of, 'dropped');
    const before = await places(of, [...out, ids.learn]);
    await of.evaluate(() => globalThis.studio.setState({ runFault: { code: 'storage-full', message: 'The run takes 41 MB of storage, and the browser allows this page 12 MB more.', remedy: 'Free disk space, or delete a concept from the Shelf.' } }));
    expect(await places(of, [...out, ids.learn])).toEqual(before);
    await page.setViewportSize(desk);
  });

  it('when learning goes on, pauses, resumes and ends', async () => {
    await stage.play(page, 'early');
    const wanted = [...out, ids.progress, ids.stop, ids.measure, ids.likeness, ids.chartLoss];
    const before = await places(page, wanted);
    const at = async (run: ReturnType<typeof fakeRun>, left: readonly string[]) => {
      await page.evaluate((next) => { globalThis.client.answers.draw = () => new Promise(() => {}); globalThis.client.emit('run', next); }, run);
      const found = await places(page, left);
      expect(found).toEqual(Object.fromEntries(left.map((id) => [id, before[id]])));
    };
    await at(fakeRun({ phase: 'learning', stage: 'student', step: 412, lambda: 0.8, secondsLeft: 130 }), wanted);
    await at(fakeRun({ phase: 'paused', step: 412, lambda: 0.8 }), wanted);
    await at(fakeRun({ phase: 'learning', stage: 'student', step: 413, lambda: 0.8, secondsLeft: 5000 }), wanted);
    await at(fakeRun({ phase: 'stopped', step: 413, lambda: 0.8 }), wanted.filter((id) => id !== ids.stop && id !== ids.measure));
  });
});

it('goes back from the Shelf to Learn, with the prompt as it is', async () => {
  await stage.play(page, 'ready');
  await page.getByTestId(ids.tabShelf).click();
  await page.getByTestId('concept-open-0').click();
  await page.getByTestId(ids.prompt).fill('a [V] dog on a beach');
  await page.goBack();
  await page.getByTestId(ids.shelf).waitFor();
  await page.goBack();
  await page.getByTestId(ids.prompt).waitFor();
  expect(await page.getByTestId(ids.prompt).inputValue()).toBe('a [V] dog on a beach');
  await page.goForward();
  await page.getByTestId(ids.shelf).waitFor();
});

it('draws the charts in the colours of a new theme', async () => {
  await stage.play(page, 'learning');
  const brightest = () => page.evaluate((id) => {
    const canvas = document.querySelector<HTMLCanvasElement>(`[data-testid="${id}"] canvas`)!;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    let most = 0;
    for (let at = 0; at < data.length; at += 4) if (data[at + 3]! > 200) most = Math.max(most, Math.min(data[at]!, data[at + 1]!, data[at + 2]!));
    return most;
  }, ids.chartLoss);
  // the flow's line has the text's colour: 236 in the dark theme; in the light one nothing is brighter than the grid's 224
  expect(await brightest()).toBeGreaterThan(230);
  await page.evaluate(() => globalThis.studio.getState().setTheme('light'));
  await expect.poll(brightest).toBeLessThan(230);
});

it('says that a number was out of range, and takes the nearest', async () => {
  await stage.play(page, 'dropped');
  await page.getByTestId(ids.more).click();
  await page.getByTestId(ids.steps).fill('500');
  await page.getByTestId(ids.steps).blur();
  await page.getByText('500 became 28').waitFor();
  expect(await page.getByTestId(ids.steps).inputValue()).toBe('28');
});
