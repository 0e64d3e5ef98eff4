/**
 * A script on its way into an isolate: stripped of its types, entered, booted
 * and evaluated.
 */
import type { Isolate, Reference } from 'isolated-vm';
import { assert } from '../kernel/assert.ts';
import { limits } from '../kernel/limits.ts';
import { enterScript } from './entry-point.ts';
import type { IsolatedVm } from './prepared-isolate.ts';
import type { SandboxAnswer, SandboxJob } from './protocol.ts';
import { withoutTypes } from './strip-types.ts';

type Done = Extract<SandboxAnswer, { type: 'done' }>;
/** What a script left. */
export type Ending = Pick<Done, 'kind' | 'text' | 'console'>;

/** An isolate, and the guest code compiled in one of its contexts. */
export interface Booting {
  readonly ivm: IsolatedVm;
  readonly isolate: Isolate;
  readonly boot: Reference;
}

export interface RunningScript {
  /** The guest code's own function that takes answers. */
  readonly deliver: Reference;
  readonly ending: Promise<Ending>;
}

/** What `boot` gives back: references into the isolate, held on this side. */
interface Guest {
  readonly run: unknown;
  readonly answer: unknown;
}

const endings = new Set([
  'value',
  'invalid',
  'error',
  'memory',
  'calls',
  'files',
  'message',
  'output',
]);

/**
 * Begins a script.
 * @param onCall gets what the guest code sends out: a number and texts.
 * @throws SyntaxError and the like with a message of its own when the script does not compile.
 */
export async function beginScript(
  { ivm, isolate, boot }: Booting,
  job: SandboxJob,
  onCall: (parts: readonly unknown[]) => void,
): Promise<RunningScript> {
  const compiles = (text: string): Promise<boolean> =>
    isolate.compileScript(text).then(
      (script) => {
        script.release();
        return true;
      },
      () => false,
    );
  const script = job.language === 'ts' ? withoutTypes(job.source) : job.source;
  const { source, asksMain } = await enterScript(script, compiles);
  // Compiled once by itself, for an error message with line and column.
  await isolate.compileScript(source, { filename: 'script.js' });
  const send = new ivm.Callback((...parts: unknown[]) => onCall(parts), { ignored: true });
  const settings = [
    job.seed,
    job.timeMs,
    job.input,
    limits.sandboxResultBytesMax,
    limits.sandboxConsoleBytesMax,
    limits.sandboxConsoleLinesMax,
    job.limits.calls,
    limits.sandboxCallsInFlightMax,
    job.limits.messageBytes,
    job.tools.join('\n'),
    send,
  ];
  const options = { result: { reference: true } } as const;
  const guest = (await boot.apply(undefined, settings, options)) as Reference<Guest>;
  const [run, deliver]: Reference[] = await Promise.all([
    guest.get('run', { reference: true }),
    guest.get('answer', { reference: true }),
  ]);
  assert(run !== undefined && deliver !== undefined, 'the guest code gives both');
  const result: Promise<unknown> = run.apply(
    undefined,
    [`${source}\n//# sourceURL=script.js`, asksMain],
    { result: { promise: true, copy: true } },
  );
  return { deliver, ending: result.then(toEnding) };
}

function toEnding(result: unknown): Ending {
  if (Array.isArray(result) && result.every((part) => typeof part === 'string')) {
    const [kind, text, console] = result;
    if (endings.has(kind ?? '')) {
      return { kind: kind as Done['kind'], text: text ?? '', console: console ?? '' };
    }
  }
  return { kind: 'error', text: 'the isolate gave no answer', console: '' };
}
