/**
 * Messages a second at 64 B, 1 KiB and 64 KiB. The receiver is the main thread
 * in every contender, the senders are workers. Payloads have the same length
 * everywhere; the header of a frame comes on top of it.
 */
import { ManyToOneRingBuffer } from '../../src/bus/many-to-one-ring-buffer.ts';
import { limits } from '../../src/kernel/limits.ts';
import type { BenchOptions, Figure } from '../harness.ts';
import { figure, interleave, ratios } from '../harness.ts';
import type { BenchThreads } from './bench-threads.ts';
import { broadcastRate } from './broadcast-contender.ts';
import { endpointRate } from './endpoint-contender.ts';
import { framesRate } from './frames-contender.ts';
import type { Load } from './load.ts';
import { portRate } from './port-contender.ts';
import { allocateRingbuf, type RingbufMemory, ringbufRate } from './ringbuf-contender.ts';

interface Size {
  readonly name: string;
  readonly lengthBytes: number;
  /** Messages of one sample in the short form. */
  readonly messages: number;
  /** Goals as quotients of rates. */
  readonly overClone: number;
  readonly overCloneOfTwo: number | null;
  readonly overRingbuf: number | null;
}

const sizes: readonly Size[] = [
  {
    name: '64 B',
    lengthBytes: 64,
    messages: 80_000,
    overClone: 20,
    overCloneOfTwo: 20,
    overRingbuf: 3,
  },
  {
    name: '1 KiB',
    lengthBytes: 1_024,
    messages: 30_000,
    overClone: 5,
    overCloneOfTwo: null,
    overRingbuf: null,
  },
  {
    name: '64 KiB',
    lengthBytes: 64 * 1_024,
    messages: 4_000,
    overClone: 6,
    overCloneOfTwo: null,
    overRingbuf: 15,
  },
];

/** The full form sends this many times the messages. */
const fullScale = 8;
/** Turns before the first sample, for the compiler of every thread. */
const warmUps = 3;

export async function throughputFigures(
  threads: BenchThreads,
  options: BenchOptions,
): Promise<Figure[]> {
  // One memory for every sample: its first lap would measure the page faults of new memory.
  const memories: Memories = {
    ring: ManyToOneRingBuffer.allocate(limits.inboxRingBytes),
    bytes: allocateRingbuf('byte'),
    words: allocateRingbuf('word'),
  };
  const figures: Figure[] = [];
  // From long to short, as the short ones feel most how warm the process is; told from short to long.
  for (const size of sizes.toReversed()) {
    figures.unshift(...(await figuresOf(size, threads, memories, options)));
  }
  return figures;
}

interface Memories {
  readonly ring: SharedArrayBuffer;
  readonly bytes: RingbufMemory;
  readonly words: RingbufMemory;
}

async function figuresOf(
  size: Size,
  threads: BenchThreads,
  memories: Memories,
  { quick, repetitions }: BenchOptions,
): Promise<Figure[]> {
  const messages = size.messages * (quick ? 1 : fullScale);
  const one: Load = { messages, lengthBytes: size.lengthBytes, producers: 1 };
  const two: Load = { ...one, messages: messages / 2, producers: 2 };
  const contenders = {
    frames: () => framesRate(threads, one, memories.ring),
    single: () => framesRate(threads, one, memories.ring, 'single'),
    endpoint: () => endpointRate(threads, one),
    clone: () => portRate(threads, one, 'clone'),
    transfer: () => portRate(threads, one, 'transfer'),
    broadcast: () => broadcastRate(threads, one),
    bytes: () => ringbufRate(threads, one, memories.bytes),
    words: () => ringbufRate(threads, one, memories.words),
    framesOfTwo: () => framesRate(threads, two, memories.ring),
    cloneOfTwo: () => portRate(threads, two, 'clone'),
  };
  await interleave(contenders, warmUps);
  const rates = await interleave(contenders, repetitions);
  const { name } = size;
  return [
    figure(`${name}: frames / clone`, 'x', ratios(rates.frames, rates.clone), {
      goal: size.overClone,
    }),
    figure(
      `${name}, two producers: frames / clone`,
      'x',
      ratios(rates.framesOfTwo, rates.cloneOfTwo),
      { goal: size.overCloneOfTwo },
    ),
    figure(`${name}: frames / ringbuf.js of bytes`, 'x', ratios(rates.frames, rates.bytes), {
      goal: size.overRingbuf,
    }),
    figure(`${name}: frames / ringbuf.js of words`, 'x', ratios(rates.frames, rates.words)),
    figure(`${name}: frames without batches / clone`, 'x', ratios(rates.single, rates.clone)),
    figure(`${name}: endpoint / clone`, 'x', ratios(rates.endpoint, rates.clone)),
    figure(`${name}: frames`, '1/s', rates.frames),
    figure(`${name}, two producers: frames`, '1/s', rates.framesOfTwo),
    figure(`${name}: endpoint`, '1/s', rates.endpoint),
    figure(`${name}: clone`, '1/s', rates.clone),
    figure(`${name}, two producers: clone`, '1/s', rates.cloneOfTwo),
    figure(`${name}: transfer`, '1/s', rates.transfer),
    figure(`${name}: BroadcastChannel`, '1/s', rates.broadcast),
    figure(`${name}: ringbuf.js of bytes`, '1/s', rates.bytes),
    figure(`${name}: ringbuf.js of words`, '1/s', rates.words),
  ];
}
