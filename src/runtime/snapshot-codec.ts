/**
 * A hibernated actor as few bytes: a template of what many have in common, and
 * the values of its own. Without a template all of its values are written.
 *
 * ```
 *  flags u8 | digest, 32 bytes, if it has one
 *  with a template:    a bit for each constant that is different, if any is | those leaves and its own
 *  without a template: sequence, machine, state, machines | sent, received, open
 * ```
 *
 * Invariants
 *   C1. What is read equals what was written: the state has the same hash.
 *   C2. A snapshot with a template is one of its users from `encode` to the
 *       `release` of whoever takes it out of the grid.
 */
import type { Actor, ActorJson } from '../actors/actor.ts';
import { type MachineState, stateReader, stateToJson } from '../actors/step.ts';
import { assert } from '../kernel/assert.ts';
import type { ActorSequence } from '../kernel/ids.ts';
import { limits } from '../kernel/limits.ts';
import type { KnownTemplate, SharedTemplates } from './shared-templates.ts';
import { SnapshotNames } from './snapshot-names.ts';
import {
  type Constant,
  commonOf,
  constantsOf,
  type Outline,
  outlineOf,
  type SnapshotTemplate,
  savedBytesOf,
} from './snapshot-template.ts';
import { ValueReader, ValueWriter } from './snapshot-values.ts';

const digestBytes = 32;
const flags = { begins: 1, digest: 2, differs: 4 };
/** A template that costs no more than this is good enough. */
const differenceBytesMax = 32;
/** A new template has to save at least this over the best one that there is. */
const gainBytesMin = 64;
const templatesPerShape = 8;

/** An actor and what its host remembers beside the fold; not to be spread, as an actor is not. */
export interface Sleeper {
  readonly actor: Actor;
  readonly previousDigest: Buffer | null;
  readonly begins: boolean;
}

/** A snapshot, valid until the next call. */
export interface Encoded {
  readonly bytes: Uint8Array;
  /** Number of its template, from 1; 0 for none. */
  readonly template: number;
}

/** What is eagerly made of a snapshot, and what its host needs only when mail has come. */
type Early = Pick<ActorJson, 'sequence' | 'machine' | 'state'> & {
  readonly machines: readonly string[];
};
type Late = Pick<ActorJson, 'sent' | 'received' | 'open'>;

interface Sample {
  readonly keys: string;
  readonly constants: readonly Constant[];
}

let lastRead = { machine: '', machines: [] as Actor['machines'], read: stateReader('agent') };

/** Those of one template have the same list of versions. */
function readState(
  machine: ActorJson['machine'],
  machines: Actor['machines'],
  state: ActorJson['state'],
): MachineState {
  if (machine !== lastRead.machine || machines !== lastRead.machines) {
    lastRead = { machine, machines, read: stateReader(machine, 'compact', machines) };
  }
  return lastRead.read(state);
}

/** A snapshot out of the grid. What it holds is made of it when it is asked for. */
class WokenActor implements Actor {
  readonly run: Actor['run'];
  readonly id: Actor['id'];
  readonly #names: SnapshotNames;
  readonly #bytes: string;
  readonly #template: SnapshotTemplate | null;
  #at: number;
  #leaves: readonly unknown[] = [];
  #early: Early | null = null;
  #late: Late | null = null;
  #state: MachineState | null = null;

  constructor(names: SnapshotNames, bytes: string, template: SnapshotTemplate | null) {
    this.run = names.run;
    this.id = names.id;
    this.#names = names;
    this.#bytes = bytes;
    this.#template = template;
    this.#at = 1 + ((bytes.charCodeAt(0) & flags.digest) === 0 ? 0 : digestBytes);
  }

  get sequence(): ActorSequence {
    return this.#readEarly().sequence as ActorSequence;
  }

  get machines(): Actor['machines'] {
    return this.#readEarly().machines;
  }

  get state(): MachineState {
    if (this.#state === null) {
      const { machine, state, machines } = this.#readEarly();
      this.#state = readState(machine, machines, state);
    }
    return this.#state;
  }

  get sent(): Actor['sent'] {
    return this.#readLate().sent;
  }

  get received(): Actor['received'] {
    return this.#readLate().received;
  }

  get open(): Actor['open'] {
    return this.#readLate().open;
  }

  #readEarly(): Early {
    if (this.#early !== null) return this.#early;
    const reader = new ValueReader(this.#bytes, this.#at, this.#names);
    const template = this.#template;
    if (template === null) this.#early = reader.value() as Early;
    else if (this.#differs) {
      this.#leaves = this.#allLeaves(template, reader);
      this.#early = template.fromAll(0)(this.#leaves, this.#names) as Early;
    } else {
      const own: unknown[] = [];
      for (let count = template.ownOfFirst; count > 0; count -= 1) own.push(reader.value());
      this.#leaves = own;
      this.#early = template.fromOwn[0]?.(own, this.#names) as Early;
    }
    this.#at = reader.at;
    return this.#early;
  }

  #readLate(): Late {
    if (this.#late !== null) return this.#late;
    this.#readEarly();
    const reader = new ValueReader(this.#bytes, this.#at, this.#names);
    const template = this.#template;
    if (template === null) this.#late = reader.value() as Late;
    else if (this.#differs) this.#late = template.fromAll(1)(this.#leaves, this.#names) as Late;
    else {
      const own = [...this.#leaves];
      while (own.length < template.own.length) own.push(reader.value());
      this.#late = template.fromOwn[1]?.(own, this.#names) as Late;
    }
    assert(reader.isAtEnd, 'a snapshot ends where its actor ends');
    return this.#late;
  }

  get #differs(): boolean {
    return (this.#bytes.charCodeAt(0) & flags.differs) !== 0;
  }

  #allLeaves(template: SnapshotTemplate, reader: ValueReader): readonly unknown[] {
    const { constants } = template.json;
    const differs: number[] = [];
    for (let bits = constants.length - template.own.length; bits > 0; bits -= 8) {
      differs.push(reader.byte());
    }
    let bit = 0;
    return constants.map((constant, index) => {
      if (constant === null) return reader.value();
      const isOther = ((differs[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
      bit += 1;
      return isOther ? reader.value() : template.constant(index, this.#names);
    });
  }
}

/** What came out of the grid with it. */
class WokenSleeper implements Sleeper {
  readonly actor: Actor;
  readonly #bytes: string;

  constructor(actor: Actor, bytes: string) {
    this.actor = actor;
    this.#bytes = bytes;
  }

  get previousDigest(): Buffer | null {
    if ((this.#bytes.charCodeAt(0) & flags.digest) === 0) return null;
    return Buffer.from(this.#bytes.slice(1, 1 + digestBytes), 'latin1');
  }

  get begins(): boolean {
    return (this.#bytes.charCodeAt(0) & flags.begins) !== 0;
  }
}

export class SnapshotCodec {
  readonly #templates: SharedTemplates;
  readonly #byShape = new Map<string, KnownTemplate[]>();
  readonly #samples = new Map<string, Sample>();
  readonly #writer = new ValueWriter();

  constructor(templates: SharedTemplates) {
    this.#templates = templates;
  }

  encode({ actor, previousDigest, begins }: Sleeper): Encoded {
    const { sequence, state, sent, received, open, machines } = actor;
    const names = new SnapshotNames(actor.run, actor.id);
    const early: Early = {
      sequence,
      machine: state.machine,
      state: stateToJson(state),
      machines,
    };
    const late: Late = { sent, received, open };
    const outline = outlineOf([early, late], names);
    const known = this.#choose(outline, names);
    const writer = this.#writer;
    writer.begin(names);
    writer.room(1 + digestBytes);
    writer.byte((begins ? flags.begins : 0) | (previousDigest === null ? 0 : flags.digest));
    if (previousDigest !== null) {
      assert(previousDigest.length === digestBytes, 'a digest is SHA-256');
      writer.at += previousDigest.copy(writer.bytes, writer.at);
    }
    if (known === null) {
      writer.value(early);
      writer.value(late);
    } else this.#leaves(outline.leaves, known, names);
    const bytes = writer.bytes.subarray(0, writer.at);
    return { bytes, template: known === null ? 0 : known.number + 1 };
  }

  /**
   * An actor from its bytes, as characters below 256. Whose snapshot it is says the
   * directory, where it was found. Null when its template is damaged.
   */
  decode(bytes: string, template: number, names: SnapshotNames): Sleeper | null {
    const known = template === 0 ? null : this.#templates.read(template - 1);
    if (known === null && template !== 0) return null;
    return new WokenSleeper(new WokenActor(names, bytes, known?.template ?? null), bytes);
  }

  /** The snapshot with this template, from 1, is no longer in the grid (C2). */
  release(template: number): void {
    if (template !== 0) this.#templates.release(template - 1);
  }

  #leaves(leaves: readonly unknown[], { template }: KnownTemplate, names: SnapshotNames): void {
    const writer = this.#writer;
    const { constants } = template.json;
    const others = leaves.map(
      (leaf, index) => constants[index] !== null && !template.has(index, leaf, names),
    );
    if (others.includes(true)) {
      writer.bytes[0] = (writer.bytes[0] ?? 0) | flags.differs;
      const bits = Buffer.alloc(Math.ceil((constants.length - template.own.length) / 8));
      let bit = 0;
      others.forEach((isOther, index) => {
        if (constants[index] === null) return;
        if (isOther) bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7));
        bit += 1;
      });
      writer.room(bits.length);
      writer.at += bits.copy(writer.bytes, writer.at);
    }
    leaves.forEach((leaf, index) => {
      if (constants[index] === null || others[index] === true) writer.value(leaf);
    });
  }

  /** The best template for these leaves, or a new one if two actors now have had much in common. */
  #choose({ shape, leaves }: Outline, names: SnapshotNames): KnownTemplate | null {
    if (leaves.length > limits.templateLeavesMax) return null;
    const found = this.#byShape.get(shape) ?? [];
    let best: KnownTemplate | null = null;
    let saved = 0;
    for (const known of found) {
      const { template } = known;
      const lost = template.differenceBytes(leaves, names, template.savesBytes);
      if (lost <= differenceBytesMax && this.#acquire(known, shape)) return known;
      if (template.savesBytes - lost <= saved) continue;
      best = known;
      saved = template.savesBytes - lost;
    }
    const fresh = this.#learn({ shape, leaves }, names, saved);
    if (fresh !== null) return fresh;
    return best !== null && this.#acquire(best, shape) ? best : null;
  }

  #acquire(known: KnownTemplate, shape: string): boolean {
    if (this.#templates.acquire(known)) return true;
    const others = this.#byShape.get(shape)?.filter((each) => each !== known) ?? [];
    this.#byShape.set(shape, others);
    return false;
  }

  #learn({ shape, leaves }: Outline, names: SnapshotNames, saved: number): KnownTemplate | null {
    const constants = constantsOf(leaves, names);
    const sample = this.#samples.get(shape);
    this.#remember(shape, { keys: names.keys, constants });
    if (sample === undefined || sample.keys === names.keys) return null;
    const common = commonOf(sample.constants, constants);
    if (savedBytesOf(common) < saved + gainBytesMin) return null;
    const known = this.#templates.publish({ shape, constants: common });
    if (known === null) return null;
    const others = this.#byShape.get(shape) ?? [];
    this.#byShape.delete(shape);
    this.#byShape.set(shape, [...others.slice(1 - templatesPerShape), known]);
    for (const oldest of this.#byShape.keys()) {
      if (this.#byShape.size <= limits.snapshotTemplates) break;
      this.#byShape.delete(oldest);
    }
    return known;
  }

  #remember(shape: string, sample: Sample): void {
    this.#samples.delete(shape);
    this.#samples.set(shape, sample);
    for (const oldest of this.#samples.keys()) {
      if (this.#samples.size <= limits.templateSamplesMax) break;
      this.#samples.delete(oldest);
    }
  }
}
