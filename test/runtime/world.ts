/**
 * Hosts on one thread over a real journal: everything of the runtime but its
 * threads and actuators. What would cross a thread waits in a queue here, so
 * that a test decides who acts when.
 */
import type { Envelope, OpenIntention } from '../../src/actors/actor.ts';
import type { Outcome } from '../../src/actors/outcome.ts';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';
import type { FilePort } from '../../src/journal/file-port.ts';
import { type JournalMode, JournalWriter } from '../../src/journal/journal-writer.ts';
import type { AppendRecord } from '../../src/journal/record.ts';
import { type RunStore, runStore } from '../../src/journal/run-store.ts';
import { ManualClock } from '../../src/kernel/clock.ts';
import { RuntimeError } from '../../src/kernel/errors.ts';
import { type Sha256, sha256 } from '../../src/kernel/hash.ts';
import { type ActorId, actorId, newRunId, type RunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { ActorDirectory } from '../../src/runtime/actor-directory.ts';
import { ActorHost } from '../../src/runtime/actor-host.ts';
import { type RunStartedBody, runStartedRecords } from '../../src/runtime/event-record.ts';
import type { HostPorts } from '../../src/runtime/host-ports.ts';
import { JournalFollower } from '../../src/runtime/journal-follower.ts';
import { rootStart } from '../../src/runtime/prepare-run.ts';
import { canRehydrate, rehydrate } from '../../src/runtime/rehydrate.ts';
import { deliverFirst } from '../../src/runtime/resume-run.ts';
import type { OutcomeMessage, WakeMessage } from '../../src/runtime/topics.ts';
import { encodeBatch } from '../journal/journal-fixture.ts';

/** What a host did at its ports, in order. */
export type Deed =
  | { readonly type: 'append'; readonly records: readonly AppendRecord[] }
  | { readonly type: 'send'; readonly envelope: Envelope }
  | { readonly type: 'act' | 'abort'; readonly open: OpenIntention }
  | { readonly type: 'wake'; readonly message: WakeMessage };

export interface OpenAct {
  readonly run: RunId;
  readonly actor: ActorId;
  readonly open: OpenIntention;
  /** What `durablePosition` must reach before its effect may leave a trace. */
  readonly position: number;
}

/** Answers an intention; null leaves it open. */
export type Answer = (operation: string, args: JsonObject, act: OpenAct) => Outcome | null;

/** One agent for each document, which writes a file: two effects and a reading. */
export const writingPipeline = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [
    {
      id: 'echo',
      agent: 'echo',
      map: 'documents',
      write: { path: 'echo-{{document.name}}', template: 'heard' },
    },
  ],
};

/** A generation that ended by itself, as the inference actuator reports it. */
export function generated(text: string, minConfidence = 0.9): Outcome {
  const usage = { promptTokens: 3, answerTokens: 2 };
  return {
    status: 'completed',
    value: {
      status: 'completed',
      text,
      finish: 'stop',
      tokens: '',
      minConfidence,
      halt: null,
      usage,
    },
  };
}

export const written: Outcome = {
  status: 'completed',
  value: { path: 'report.md', bytes: 1, sha256: 'x' },
};

export class World {
  readonly dataDirectory: string;
  readonly clock = new ManualClock(1_000_000);
  readonly directoryMemory: SharedArrayBuffer;
  readonly directory: ActorDirectory;
  readonly hosts: readonly ActorHost[];
  readonly deeds: Deed[] = [];
  /** Intentions that nobody has answered yet. */
  readonly acts: OpenAct[] = [];
  /** Runs that a host gave up. */
  readonly broken: { readonly run: RunId; readonly message: string }[] = [];
  /** Throws what the bus throws for what an actor wants done. */
  tooLarge: (what: OpenIntention | Envelope) => boolean = () => false;
  readonly follower: JournalFollower;
  /** Whether a host has room for another step. */
  room: () => boolean = () => true;
  readonly #hasKeys: boolean;
  readonly #inboxes: Envelope[][];
  readonly #wakes: WakeMessage[] = [];
  readonly #writer: JournalWriter;
  #pending: Buffer[] = [];
  #position = 0;
  #durablePosition = 0;

  constructor(
    dataDirectory: string,
    hosts = 1,
    liveActorsMax = 1_000,
    journal: {
      readonly files?: FilePort;
      readonly mode?: JournalMode;
      /** 0: snapshots are in the journal alone. */
      readonly gridBytes?: number;
      /** Whether runs have keys, as all but those of older formats. */
      readonly keys?: boolean;
    } = {},
  ) {
    this.dataDirectory = dataDirectory;
    this.#hasKeys = journal.keys ?? true;
    this.directoryMemory = ActorDirectory.allocate({
      slots: 4_096,
      gridBytes: journal.gridBytes ?? 2 ** 20,
      templates: 64,
    });
    this.directory = new ActorDirectory(this.directoryMemory);
    const segmentBytes = journal.files === undefined ? 2 * 1024 * 1024 : 64 * 1024;
    this.#writer = JournalWriter.open(dataDirectory, { segmentBytes, ...journal });
    const { files } = journal;
    this.follower = new JournalFollower(dataDirectory, files === undefined ? {} : { files });
    this.follower.advance();
    this.#inboxes = Array.from({ length: hosts }, () => []);
    const indices = Array.from({ length: hosts }, (_, index) => index);
    this.hosts = indices.map(
      (index) => new ActorHost(this.#ports(), { index, count: hosts, liveActorsMax }),
    );
  }

  #ports(): HostPorts {
    return {
      clock: this.clock,
      directory: this.directory,
      stepping: () => undefined,
      storeOf: (run) => this.storeOf(run),
      append: (records) => {
        this.deeds.push({ type: 'append', records });
        return this.append(records);
      },
      sendEnvelope: (host, envelope) => {
        this.#refuseTooLarge(envelope);
        this.deeds.push({ type: 'send', envelope });
        this.post(host, envelope);
      },
      admits: () => true,
      chartered: () => true,
      isHeld: () => false,
      act: ({ run, id }, open, position) => {
        this.#refuseTooLarge(open);
        this.deeds.push({ type: 'act', open });
        this.acts.push({ run, actor: id, open, position });
      },
      abort: (open) => this.deeds.push({ type: 'abort', open }),
      wake: (message) => {
        this.deeds.push({ type: 'wake', message });
        this.#wakes.push(message);
      },
      runBroken: (run, { message }) => this.broken.push({ run, message }),
      hasRoom: () => this.room(),
    };
  }

  /** Where the run's bodies and texts go; a new run gets its keys. */
  storeOf(run: RunId, parent: RunId | null = null): RunStore {
    const { keys } = this.follower;
    const cipher = this.#hasKeys ? (keys.find(run) ?? keys.create(run, parent)) : null;
    return runStore(this.dataDirectory, cipher);
  }

  #refuseTooLarge(what: OpenIntention | Envelope): void {
    if (!this.tooLarge(what)) return;
    throw new RuntimeError('BUS_MESSAGE_TOO_LARGE', 'The message does not fit the bus.');
  }

  host(index: number): ActorHost {
    const host = this.hosts[index];
    if (host === undefined) throw new Error(`there is no host ${index}`);
    return host;
  }

  append(records: readonly AppendRecord[]): number {
    this.#pending.push(encodeBatch(records));
    this.#position += 1;
    return this.#position;
  }

  /** How far what was appended is durable. */
  get durablePosition(): number {
    return this.#durablePosition;
  }

  post(host: number, envelope: Envelope): void {
    this.#inboxes[host]?.push(envelope);
  }

  /** Makes what was appended durable; the journal refuses nothing. */
  flush(): void {
    const { refused } = this.#writer.writeGroup(this.#pending);
    this.#pending = [];
    if (refused[0] !== undefined) throw refused[0];
    this.#durablePosition = this.#position;
    this.follower.advance();
  }

  /** Begins a run over texts; nothing is stepped yet. */
  start(
    definition: unknown,
    texts: readonly string[],
    seed = 7,
    machines: readonly string[] = [],
  ): RunId {
    const run = newRunId();
    const documents = texts.map((text, index) => ({
      name: `m${index}.txt`,
      sha256: sha256(text),
      part: null,
    }));
    const parsed = pipelineDefinitionSchema.parse(definition);
    const body: RunStartedBody = {
      pipeline: parsed.name,
      definition: JSON.stringify(parsed),
      seed,
      model: 'none',
      documents,
      machines,
      workspace: [],
      stepsTotal: 1,
    };
    const timeMs = this.clock.nowMs();
    const blobs = new Map(texts.map((text) => [sha256(text), Buffer.from(text)]));
    const store = this.storeOf(run);
    const started = runStartedRecords(run, body, { timeMs, store });
    this.append([...store.texts(blobs, timeMs), ...started]);
    deliverFirst(rootStart(run, body), {
      directory: this.directory,
      hosts: this.hosts.length,
      deliver: (host, envelope) => this.post(host, envelope),
    });
    return run;
  }

  cancel(run: RunId): void {
    const owner = this.directory.lookup(run, actorId('run'));
    this.post(owner.state === 'owned' ? owner.host : 0, {
      run,
      to: actorId('run'),
      from: '@runtime',
      number: 2,
      cause: null,
      event: { type: 'cancel' },
      machine: null,
    });
  }

  /** Delivers, steps and wakes until only open intentions are left. */
  settle(): void {
    for (let moved = true; moved; ) {
      moved = false;
      this.#inboxes.forEach((inbox, index) => {
        for (const envelope of inbox.splice(0)) this.host(index).deliver(envelope);
        if (this.host(index).runSteps(1_000) > 0 || inbox.length > 0) moved = true;
      });
      if (this.#answerWakes()) moved = true;
      if (this.#inboxes.some((inbox) => inbox.length > 0)) moved = true;
    }
  }

  #answerWakes(): boolean {
    this.flush();
    const wakes = this.#wakes.splice(0);
    for (const wake of wakes) {
      const entry = this.follower.entry(wake.run);
      if (!canRehydrate(entry, wake)) throw new Error(`${wake.actor} has no snapshot`);
      this.host(wake.host).adopt(rehydrate(this.follower, entry, wake));
    }
    return wakes.length > 0;
  }

  /** Hands an outcome to the owner, or to `asleepAt` when the actor sleeps. */
  deliverOutcome(act: OpenAct, outcome: Outcome, asleepAt = 0): void {
    const owner = this.directory.lookup(act.run, act.actor);
    const message: OutcomeMessage = {
      run: act.run,
      actor: act.actor,
      key: act.open.key,
      tag: act.open.intention.tag,
      outcome,
    };
    this.host(owner.state === 'owned' ? owner.host : asleepAt).deliverOutcome(message);
  }

  /** Answers the open intentions once; those without an answer stay open. */
  answer(answer: Answer, asleepAt = 0): number {
    const acts = this.acts.splice(0);
    let answered = 0;
    for (const act of acts) {
      const { intention } = act.open;
      const operation = `${intention.actuator}.${intention.operation}`;
      const outcome =
        operation === 'blobs.read'
          ? this.#readBlobs(act.run, intention.arguments)
          : answer(operation, intention.arguments, act);
      if (outcome === null) this.acts.push(act);
      else {
        this.deliverOutcome(act, outcome, asleepAt);
        answered += 1;
      }
    }
    return answered;
  }

  #readBlobs(run: RunId, args: JsonObject): Outcome {
    this.flush();
    const texts = (args.hashes as Sha256[]).map((hash) => [
      hash,
      this.follower.blobsOf(run)(hash)?.toString('utf8') ?? '',
    ]);
    return { status: 'completed', value: { texts: Object.fromEntries(texts) } };
  }

  /** Goes on until every intention that gets an answer has one. */
  play(answer: Answer): void {
    do this.settle();
    while (this.answer(answer) > 0);
    this.flush();
  }

  /** As at a crash: what was not flushed is lost, and the files are closed. */
  close(): void {
    this.#writer.close();
    this.follower.close();
  }
}
