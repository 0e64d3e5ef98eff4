/**
 * Snapshots of sleeping actors as the directory has them: it knows their places
 * and whose they are, not how they are written.
 */
import { SharedTemplates } from './shared-templates.ts';
import { type Sleeper, SnapshotCodec } from './snapshot-codec.ts';
import { type SlabSeal, SnapshotGrid } from './snapshot-grid.ts';
import type { SnapshotNames } from './snapshot-names.ts';

/** How often room is made for one snapshot. */
const triesMax = 8;

/** Frees the place of another snapshot of this size; false when it found none. */
export type MakeRoom = (kind: number) => boolean;

export class SleepingSnapshots {
  readonly #grid: SnapshotGrid;
  readonly #templates: SharedTemplates;
  readonly #codec: SnapshotCodec;

  /** @param at Where the templates begin, how many there may be, and where the grid begins. */
  constructor(
    memory: SharedArrayBuffer,
    at: { readonly templatesAt: number; readonly templates: number; readonly gridAt: number },
  ) {
    this.#grid = new SnapshotGrid(memory, at.gridAt, memory.byteLength - at.gridAt);
    const range = { offsetBytes: at.templatesAt, entries: at.templates };
    this.#templates = new SharedTemplates(memory, range, this.#grid);
    this.#codec = new SnapshotCodec(this.#templates);
  }

  /** Bytes of the pages in use. */
  get usedBytes(): number {
    return this.#grid.usedBytes;
  }

  /** Bytes of the pages that nobody has used yet. */
  get freeBytes(): number {
    return this.#grid.freeBytes;
  }

  /** Templates that there are. */
  get templates(): number {
    return this.#templates.count;
  }

  /** Frees the templates that no snapshot uses. */
  freeUnused(): void {
    this.#templates.reclaim();
  }

  /** Its place; 0 when there is no room, not even that of an unused template or of another. */
  store(sleeper: Sleeper, seal: SlabSeal, makeRoom: MakeRoom): number {
    const { bytes, template } = this.#codec.encode(sleeper);
    const store = () => this.#grid.store(bytes, template, seal);
    let place = store();
    if (place === 0 && this.#templates.reclaim() > 0) place = store();
    const kind = this.#grid.classOfLength(bytes.length);
    for (let tries = 0; place === 0 && kind >= 0 && tries < triesMax; tries += 1) {
      if (makeRoom(kind)) place = store();
    }
    if (place === 0) this.#codec.release(template);
    return place;
  }

  /** Takes a snapshot out and frees its place; null when it is damaged. */
  take(place: number, names: SnapshotNames, seal: SlabSeal): Sleeper | null {
    const grid = this.#grid;
    const isWhole = grid.open(place, seal);
    const template = grid.tag;
    const sleeper = isWhole ? this.#codec.decode(grid.read(), template, names) : null;
    // Which template it uses is known from the snapshot alone: that of a damaged one stays.
    if (isWhole) this.#codec.release(template);
    grid.free(place);
    return sleeper;
  }

  /** Frees a place unread. */
  free(place: number, seal: SlabSeal): void {
    if (this.#grid.open(place, seal)) this.#codec.release(this.#grid.tag);
    this.#grid.free(place);
  }

  /** Which size a place has. */
  classOf(place: number): number {
    return this.#grid.classOf(place);
  }

  /** Frees all of them. Only while no thread stores or takes. */
  clear(): void {
    this.#templates.clear();
    this.#grid.clear();
  }
}
