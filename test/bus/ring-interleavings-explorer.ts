/**
 * Runs a few logical threads in every order in which their single steps can
 * follow each other, all in one real thread. A race that real threads meet
 * once in a month is met here at once, with the schedule that leads to it.
 *
 * A logical thread is a plain function that touches whatever the threads
 * share through its `Port` alone. It cannot be suspended, so it is run again
 * from its start: see ring-interleavings-course.ts. A situation is where every thread is in its
 * course, what the memory holds, and which stores are still on their way.
 *
 * With `stores: 'in-order'` every access takes effect at once. With 'delayed'
 * the explorer does what processors with weak ordering do: a plain write may
 * take effect late and after later writes to other words; a sequentially
 * consistent store waits for everything before it, but a plain write behind
 * it may overtake it; a sequentially consistent load waits for such stores;
 * an exchange, a wait and a notification wait for everything.
 *
 * Invariants
 *   E1. Two situations that are equal have equal futures, so the second one is
 *       not walked through again; the schedules through it are counted.
 *   E2. Memory is put back before each branch.
 *   E3. Every store takes effect before a schedule ends, also of a thread that
 *       has died.
 */
import {
  type Access,
  Course,
  type LogicalThread,
  type StepValue,
  type World,
} from './ring-interleavings-course.ts';
import { ExploredMemory } from './ring-interleavings-memory.ts';

export type ThreadEnd = 'ended' | 'dead' | 'waiting' | 'blocked';

/** A situation in which nothing can go on. */
export interface EndState {
  /** What each thread noted, in the order of the threads. */
  readonly notes: readonly (readonly string[])[];
  readonly ends: readonly ThreadEnd[];
}

export interface ExplorationPlan {
  readonly memory: SharedArrayBuffer;
  readonly threads: readonly LogicalThread[];
  /** Threads that may die in one schedule. */
  readonly deathsMax: number;
  readonly stores: 'in-order' | 'delayed';
  /** Accesses that are taken together with the step before them: those that commute with whatever other threads do. */
  readonly isQuiet: (access: Access) => boolean;
  /** The exploration throws above this number of situations: a bound that is too small must not look like a proof. */
  readonly situationsMax: number;
  /** Says what is wrong with an end, or null. May change the memory. */
  readonly check: (end: EndState) => string | null;
}

export interface Exploration {
  /** Different situations that were met. */
  readonly situations: number;
  /** Schedules from the start to an end, all of them covered; exact up to 2^53. */
  readonly schedules: number;
  /** Different ends that were checked. */
  readonly ends: number;
  readonly failure: {
    readonly message: string;
    readonly schedule: readonly string[];
  } | null;
}

/** Where one thread is in the present schedule. */
interface Position {
  readonly course: Course;
  readonly state: 'ready' | 'waiting' | 'dead';
  /** Stores that have not taken effect, oldest first. */
  readonly underway: readonly Access[];
}

class FoundFailure extends Error {}

export function explore(plan: ExplorationPlan): Exploration {
  return new Explorer(plan).run();
}

class Explorer {
  readonly #plan: ExplorationPlan;
  readonly #memory: ExploredMemory;
  readonly #seenStores = new Set<string>();
  readonly #positions: Position[] = [];
  readonly #schedule: string[] = [];
  /** Schedules that lead from a situation to an end (E1). */
  readonly #known = new Map<string, number>();
  readonly #world: World = {
    // Whoever learns of a death learns of everything that the thread had stored.
    isDead: (thread) => {
      const position = this.#positions[thread];
      return position?.state === 'dead' && position.underway.length === 0;
    },
    hasEnded: (thread) => {
      const position = this.#positions[thread];
      return position?.state === 'dead' || position?.course.step === null;
    },
  };
  #courses = 0;
  #ends = 0;
  #deaths = 0;
  #failure: Exploration['failure'] = null;

  constructor(plan: ExplorationPlan) {
    this.#plan = plan;
    this.#memory = new ExploredMemory(plan.memory);
  }

  run(): Exploration {
    let schedules = 0;
    try {
      for (const thread of this.#plan.threads) {
        const course = this.#newCourse(thread, []);
        this.#positions.push({ course, state: 'ready', underway: [] });
      }
      schedules = this.#visit();
    } catch (error) {
      if (!(error instanceof FoundFailure)) throw error;
    }
    return {
      situations: this.#known.size,
      schedules,
      ends: this.#ends,
      failure: this.#failure,
    };
  }

  /** Walks through everything that can follow the present situation; returns the number of schedules. */
  #visit(): number {
    const key = this.#situation();
    const known = this.#known.get(key);
    if (known !== undefined) return known; // (E1)
    if (this.#known.size >= this.#plan.situationsMax) {
      throw new Error(`more than ${this.#plan.situationsMax} situations`);
    }
    const depth = this.#schedule.length;
    this.#memory.save(depth);
    let schedules = 0;
    for (let thread = 0; thread < this.#positions.length; thread += 1) {
      schedules += this.#branches(thread);
    }
    if (schedules === 0) {
      this.#checkEnd();
      schedules = 1;
    }
    this.#known.set(key, schedules);
    return schedules;
  }

  /** What the thread can do next: its step, its death before that step, one of its stores taking effect. */
  #branches(thread: number): number {
    const before = [...this.#positions];
    const position = before[thread];
    const spec = this.#plan.threads[thread];
    if (position === undefined || spec === undefined) return 0;
    let schedules = 0;
    const depth = this.#schedule.length;
    const follow = (): void => {
      schedules += this.#visit();
      this.#schedule.length = depth;
      for (const [index, was] of before.entries()) this.#positions[index] = was;
      this.#memory.restore(depth); // (E2)
    };
    for (const store of effectable(position.underway)) {
      store.perform();
      const underway = position.underway.filter((other) => other !== store);
      this.#positions[thread] = { ...position, underway };
      this.#schedule.push(`${spec.name}: effect of ${store.name}`);
      this.#findChangesOf(store);
      follow();
    }
    if (position.state === 'dead' || position.course.step === null) return schedules; // (E3)
    if (position.state === 'ready' && this.#tryStep(thread, position)) {
      this.#takeQuietSteps(thread);
      follow();
    }
    if (spec.mortal === true && this.#deaths < this.#plan.deathsMax) {
      this.#deaths += 1;
      this.#positions[thread] = { ...position, state: 'dead' };
      this.#schedule.push(`${spec.name} dies`);
      follow();
      this.#deaths -= 1;
    }
    return schedules;
  }

  /** Takes the thread's next step, unless it cannot be taken now. */
  #tryStep(thread: number, position: Position): boolean {
    const { step } = position.course;
    if (step === null) return false;
    const name = this.#plan.threads[thread]?.name ?? '';
    switch (step.type) {
      case 'access':
        return this.#tryAccess(thread, position, step);
      case 'guard': {
        const value = step.value(this.#world);
        if (value === undefined) return false;
        this.#schedule.push(`${name}: ${step.name} = ${String(value)}`);
        this.#moveTo(thread, position, value);
        return true;
      }
      case 'wait': {
        if (position.underway.length > 0) return false;
        const sleeps = step.isEqual();
        this.#schedule.push(`${name}: ${sleeps ? 'sleeps' : 'does not sleep'}`);
        if (sleeps) this.#positions[thread] = { ...position, state: 'waiting' };
        else this.#moveTo(thread, position, 'not-equal');
        return true;
      }
      case 'notify': {
        if (position.underway.length > 0) return false;
        const sleeper = this.#sleeperAt(step.word);
        this.#schedule.push(`${name}: notifies ${sleeper < 0 ? 'nobody' : 'a sleeper'}`);
        this.#moveTo(thread, position, undefined);
        const asleep = this.#positions[sleeper];
        if (asleep !== undefined) this.#moveTo(sleeper, asleep, 'ok');
        return true;
      }
    }
  }

  #takeQuietSteps(thread: number): void {
    for (;;) {
      const position = this.#positions[thread];
      const step = position?.course.step;
      if (position?.state !== 'ready' || step?.type !== 'access' || !this.#plan.isQuiet(step))
        return;
      if (!this.#tryAccess(thread, position, step)) return;
    }
  }

  #tryAccess(thread: number, position: Position, step: Access): boolean {
    const name = this.#plan.threads[thread]?.name ?? '';
    const { underway } = position;
    if (this.#plan.stores === 'delayed') {
      if (step.order === 'write' || step.order === 'store') {
        this.#schedule.push(`${name}: ${step.name} begins`);
        this.#moveTo(thread, { ...position, underway: [...underway, step] }, undefined);
        return true;
      }
      if (step.order === 'update' && underway.length > 0) return false;
      if (step.order === 'load' && underway.some(({ order }) => order === 'store')) return false;
      // A thread always sees its own writes; the explored code reads back only what it just wrote.
      if (step.order !== 'update' && underway.some(({ place }) => place === step.place)) {
        return false;
      }
    }
    const value = step.perform();
    this.#schedule.push(`${name}: ${step.name} = ${String(value)}`);
    this.#moveTo(thread, position, value);
    return true;
  }

  #sleeperAt(word: number): number {
    return this.#positions.findIndex(
      ({ state, course }) =>
        state === 'waiting' && course.step?.type === 'wait' && course.step.word === word,
    );
  }

  #moveTo(thread: number, from: Position, value: StepValue): void {
    let course = from.course.next.get(value);
    if (course === undefined) {
      const spec = this.#plan.threads[thread];
      if (spec === undefined) throw new Error('no such thread');
      // What a step changes depends on its value alone: a known value changes known words.
      this.#memory.findChanges();
      course = this.#newCourse(spec, [...from.course.values, value]);
      from.course.next.set(value, course);
    }
    this.#positions[thread] = { course, state: 'ready', underway: from.underway };
    if (course.fault !== null) this.#fail(`${this.#plan.threads[thread]?.name}: ${course.fault}`);
  }

  #newCourse(thread: LogicalThread, values: readonly StepValue[]): Course {
    this.#courses += 1;
    return new Course(this.#courses, thread, values);
  }

  /** The name of a store says where and what it stores, so one look for each name is enough. */
  #findChangesOf(store: Access): void {
    if (this.#seenStores.has(store.name)) return;
    this.#seenStores.add(store.name);
    this.#memory.findChanges();
  }

  /** Equal texts if and only if the situations are equal. */
  #situation(): string {
    let key = `${this.#memory.number()}`;
    for (const { course, state, underway } of this.#positions) {
      key += `${state === 'ready' ? ' ' : state === 'dead' ? '+' : '~'}${course.id}`;
      // The stores of a course are known by their numbers in it.
      for (const store of underway) key += `.${store.number}`;
    }
    return key;
  }

  #checkEnd(): void {
    this.#ends += 1;
    const message = this.#plan.check({
      notes: this.#positions.map(({ course }) => course.notes),
      ends: this.#positions.map(({ course, state }) => {
        if (state !== 'ready') return state;
        return course.step === null ? 'ended' : 'blocked';
      }),
    });
    if (message !== null) this.#fail(message);
  }

  #fail(message: string): never {
    this.#failure = { message, schedule: [...this.#schedule] };
    throw new FoundFailure();
  }
}

/** Stores that may take effect next, out of those on their way. */
function effectable(underway: readonly Access[]): readonly Access[] {
  return underway.filter((store, index) => {
    const earlier = underway.slice(0, index);
    if (store.order === 'store') return earlier.length === 0;
    return !earlier.some(({ place }) => place === store.place);
  });
}
