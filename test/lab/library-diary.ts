import type { Hps } from "../../client/sdk/connect.ts";
import type { TestImage } from "../../server/core/images/testing-upload.ts";
import { upload } from "../faults/packs-library.ts";

/** When something was done, as a place in a log that only grows; undefined: it was not. */
type Place = number | undefined;

interface Story {
  readonly name: string;
  readonly image: TestImage;
  readonly asked: number;
  there: Place;
  removing: Place;
  gone: Place;
}

/** From which place of the log everything counts, and from which nothing does. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What operators do to the images of an hpsd, and what they were told of it when. */
export class LibraryDiary {
  readonly #now: () => Promise<number>;
  readonly #stories: Story[] = [];
  readonly #answers: number[] = [];

  /** `now` gives the place of the log up to which all that was done is durable. */
  constructor(now: () => Promise<number>) {
    this.#now = now;
  }

  /** The places at which hpsd had just acknowledged something. */
  get answers(): readonly number[] {
    return this.#answers;
  }

  get images(): readonly Pick<Story, "name" | "image">[] {
    return this.#stories;
  }

  /** Notes when something else was acknowledged. */
  async note<T>(done: Promise<T>): Promise<T> {
    const answer = await done;
    this.#answers.push(await this.#now());
    return answer;
  }

  /** Under a name that no other image of the diary has. */
  async import(hps: Hps, name: string, image: TestImage): Promise<void> {
    const story: Story = {
      name,
      image,
      asked: await this.#now(),
      there: undefined,
      removing: undefined,
      gone: undefined,
    };
    this.#stories.push(story);
    await this.note(upload(hps, name, image));
    story.there = this.#answers.at(-1);
  }

  async remove(hps: Hps, name: string): Promise<void> {
    const story = this.#stories.find((other) => other.name === name);
    if (story === undefined) throw new Error(`${name} was never imported`);
    story.removing = await this.#now();
    await this.note(hps.images.deleteImage({ cluster: "lab", name }));
    story.gone = this.#answers.at(-1);
  }

  /** What is wrong with the images that there are, digests by names, when all is durable that was written before a span, and of what was written in it anything. */
  wrong(found: ReadonlyMap<string, string>, { from, to }: Span): readonly string[] {
    const isBy = (place: Place) => place !== undefined && place <= from;
    const isPossibleBy = (place: Place) => place !== undefined && place < to;
    return this.#stories.flatMap(({ name, image, asked, there, removing, gone }) => {
      const digest = found.get(name);
      if (digest === undefined) {
        return isBy(there) && !isPossibleBy(removing) ? [`${name} was acknowledged and is not there`] : [];
      }
      if (digest !== image.digest) return [`${name} is ${digest} and not ${image.digest}`];
      if (isBy(gone)) return [`${name} was removed and is there`];
      return isPossibleBy(asked) ? [] : [`${name} is there before anybody brought it`];
    });
  }
}
