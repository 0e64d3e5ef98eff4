/**
 * Kills producer threads in the middle of their traffic, gives their slots to
 * new ones, and checks what comes out of the ring:
 *
 *   K1. What a producer committed arrives once, in its order and untorn. It
 *       notes a commit after it, and a batch at its end, so of each life some
 *       messages behind the last noted one may arrive as well.
 *   K2. Nothing else arrives.
 *   K3. The ring goes on, whatever its dead producers left in it.
 *
 * One producer is never killed: the living must not suffer from the dead.
 */
import { Worker } from 'node:worker_threads';
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { batchMessagesMax, type KilledProducerTask, readMessage } from './bus-unblock-message.ts';

export interface KillPlan {
  readonly capacityBytes: number;
  /** Producer threads at any time, the one that survives among them. */
  readonly producers: number;
  /** At least so long, and until so many claims of dead producers were skipped. */
  readonly seconds: number;
  readonly gapsMin: number;
  readonly seed: number;
}

export interface KillReport {
  readonly kills: number;
  readonly messages: number;
  readonly survivorMessages: number;
  readonly gaps: number;
  readonly gapBytes: number;
  /** What is wrong, one sentence each. */
  readonly problems: readonly string[];
}

/** Lives of one run at most; a worker takes longer to start than 1 / 500 of a second. */
const livesMax = 500_000;
/** A ring that hands over nothing for so long has stalled. */
const stallMsMax = 20_000;
/** Longest time from one kill to the next. */
const killEveryMsMax = 40;
const problemsMax = 20;

interface Life {
  readonly number: number;
  readonly producer: number;
  readonly worker: Worker;
  isDoomed: boolean;
  received: number;
  /** Position of the producers when the ring was told of its end. */
  endPosition: number | null;
}

export function runKills(plan: KillPlan): Promise<KillReport> {
  return new KillRun(plan).run();
}

class KillRun {
  readonly #plan: KillPlan;
  readonly #memory: SharedArrayBuffer;
  readonly #ring: ManyToOneRingBuffer;
  readonly #committed = new Int32Array(new SharedArrayBuffer(livesMax * 4));
  readonly #lives = new Map<number, Life>();
  readonly #problems: string[] = [];
  readonly #freeSlots: number[] = [];
  #random: number;
  #livesStarted = 0;
  #kills = 0;
  #messages = 0;
  #survivor: Life | null = null;
  #isOver = false;

  constructor(plan: KillPlan) {
    this.#plan = plan;
    this.#memory = ManyToOneRingBuffer.allocate(plan.capacityBytes);
    this.#ring = new ManyToOneRingBuffer(this.#memory);
    this.#random = plan.seed;
    // Two slots more than threads, so that a slot is used again at once or much later.
    for (let slot = 0; slot < plan.producers + 2; slot += 1) this.#freeSlots.push(slot);
  }

  async run(): Promise<KillReport> {
    const { producers, seconds, gapsMin } = this.#plan;
    try {
      this.#survivor = this.#start();
      for (let count = 1; count < producers; count += 1) this.#start();
      const startedAt = performance.now();
      let killAt = startedAt;
      let lastMailAt = startedAt;
      for (;;) {
        const now = performance.now();
        const isEnough =
          now - startedAt >= seconds * 1_000 && this.#ring.gapsSkipped().gaps >= gapsMin;
        if (isEnough || this.#problems.length >= problemsMax) break;
        if (this.#drain() > 0) lastMailAt = now;
        else this.#ring.park(1);
        if (now - lastMailAt > stallMsMax) {
          this.#report(`The ring stalled after ${this.#messages} messages.`); // (K3)
          break;
        }
        if (now >= killAt) {
          this.#killOne();
          killAt = now + this.#below(killEveryMsMax);
        }
        this.#checkEnded();
        // Starts, ends and errors of workers arrive in the event loop.
        await new Promise((resolve) => setImmediate(resolve));
      }
    } finally {
      this.#isOver = true;
      await Promise.all(
        [...this.#lives.values()].map((life) => {
          life.isDoomed = true;
          return life.worker.terminate();
        }),
      );
    }
    return this.#finish();
  }

  #finish(): KillReport {
    for (const life of this.#lives.values()) this.#end(life);
    // The first of two empty drains may only have noticed a gap.
    for (let idle = 0; idle < 2; ) idle = this.#drain() > 0 ? 0 : idle + 1;
    const survivorMessages = this.#survivor?.received ?? 0;
    this.#checkEnded();
    if (this.#lives.size > 0) this.#report('The ring did not come to its end.'); // (K3)
    if (this.#ring.depthBytes() > 0) this.#report(`${this.#ring.depthBytes()} bytes stay claimed.`);
    const { gaps, bytes } = this.#ring.gapsSkipped();
    return {
      kills: this.#kills,
      messages: this.#messages,
      survivorMessages,
      gaps,
      gapBytes: bytes,
      problems: this.#problems,
    };
  }

  #start(): Life {
    const producer = this.#freeSlots.splice(this.#below(this.#freeSlots.length), 1)[0];
    if (producer === undefined) throw new Error('more producers than slots');
    const number = this.#livesStarted;
    this.#livesStarted += 1;
    const task: KilledProducerTask = {
      memory: this.#memory,
      committed: this.#committed.buffer,
      producer,
      life: number,
      seed: this.#below(2 ** 31),
      lengthMax: this.#ring.messageBytesMax,
    };
    const url = new URL('./bus-unblock-producer.ts', import.meta.url);
    const worker = new Worker(url, { workerData: task });
    const life: Life = {
      number,
      producer,
      worker,
      isDoomed: false,
      received: 0,
      endPosition: null,
    };
    worker.on('error', (error) => this.#report(`Life ${number} failed: ${String(error)}`));
    worker.on('exit', () => {
      if (!life.isDoomed) this.#report(`Life ${number} ended by itself.`);
      this.#end(life);
      if (!this.#isOver) this.#start();
    });
    this.#lives.set(number, life);
    return life;
  }

  #killOne(): void {
    const mortals = [...this.#lives.values()].filter(
      (life) => life !== this.#survivor && !life.isDoomed && this.#hasBegun(life),
    );
    const victim = mortals[this.#below(mortals.length)];
    if (victim === undefined) return;
    this.#kills += 1;
    victim.isDoomed = true;
    void victim.worker.terminate();
  }

  /** A thread that did not send yet would be killed for nothing. */
  #hasBegun(life: Life): boolean {
    return Atomics.load(this.#committed, life.number) > 0;
  }

  #end(life: Life): void {
    if (life.endPosition !== null) return;
    this.#ring.producerEnded(life.producer);
    life.endPosition = this.#ring.producerPosition();
    this.#freeSlots.push(life.producer);
  }

  #drain(): number {
    return this.#ring.drain((type, bytes, offset, lengthBytes) => {
      this.#messages += 1;
      const message = readMessage(bytes, offset, lengthBytes);
      if (message === null) {
        this.#report(`A message of life ${type} is torn.`); // (K1)
        return;
      }
      const life = this.#lives.get(message.life);
      if (life === undefined || message.life !== type) {
        this.#report(`A message of life ${message.life}, type ${type}, came from nowhere.`); // (K2)
        return;
      }
      if (message.sequence !== life.received + 1) {
        this.#report(
          `Life ${life.number}: message ${message.sequence} after message ${life.received}.`, // (K1)
        );
      }
      life.received = message.sequence;
    }, 256);
  }

  /** Lives whose last claim has been passed by the consumer. */
  #checkEnded(): void {
    const consumed = this.#ring.consumerPosition();
    for (const life of this.#lives.values()) {
      if (life.endPosition === null || life.endPosition > consumed) continue;
      this.#lives.delete(life.number);
      const committed = Atomics.load(this.#committed, life.number);
      const isPlausible =
        life.received >= committed && life.received <= committed + batchMessagesMax;
      if (isPlausible) continue;
      this.#report(`Life ${life.number}: ${committed} committed, ${life.received} received.`); // (K1)
    }
  }

  #report(problem: string): void {
    if (this.#problems.length < problemsMax) this.#problems.push(problem);
  }

  /** A linear congruence with 31 bits, whose upper half decides. */
  #below(limit: number): number {
    this.#random = (Math.imul(this.#random, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return Math.floor((this.#random / 2 ** 31) * limit);
  }
}
