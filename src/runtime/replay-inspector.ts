/**
 * Stops this process inside a machine's own source for whoever is connected to
 * the inspector of Node.js.
 *
 * The machines are full of small functions: guards, assigns, intentions. A
 * session of this process has breakpoints everywhere in them, and takes all of
 * them back at the first that is hit, while the process is paused there. What
 * a debugger sees is one stop, on the first line that the event reaches.
 *
 * Invariants
 *   I1. Nothing is set in the code that steps machines, only in the machines.
 *   I2. After the first stop nothing of this session is left to stop at.
 */
import { type Debugger, open, Session, url, waitForDebugger } from 'node:inspector';
import { fileURLToPath } from 'node:url';
import { assert } from '../kernel/assert.ts';
import { RuntimeError } from '../kernel/errors.ts';

/** Nobody outside this machine may debug it. */
const host = '127.0.0.1';

const actorsFolder = new URL('../actors/', import.meta.url).href;
/** What steps machines, and is the same for all of them (I1). */
const stepping = /^(actor|event|intend|machines|step|.*steppers?)$/;

/** Where the process stood still. */
export interface StopPlace {
  readonly file: string;
  /** From 1. */
  readonly line: number;
}

/** Which code an event is to be caught in. */
export type StopCode = 'machine' | 'stepper';

/**
 * Opens the inspector on the loopback address and waits until a debugger has
 * connected and lets the program run.
 * @param port 0 takes a free one; ignored where this process is inspected already.
 * @throws RuntimeError PORT_IN_USE
 */
export function awaitDebugger(port: number): void {
  if (url() !== undefined) {
    waitForDebugger();
    return;
  }
  open(port, host);
  if (url() === undefined) {
    throw new RuntimeError(
      'PORT_IN_USE',
      `The inspector cannot listen on port ${port}; choose another with --inspect=PORT.`,
    );
  }
  waitForDebugger();
}

/**
 * Runs `work` and stops once: on the first line of a machine that it reaches,
 * or, with `stepper`, where the machine is about to be stepped. Returns after
 * the debugger has let it go on.
 * @returns Null where it reached no such line.
 */
export function stopWithin(code: StopCode, work: () => void): StopPlace | null {
  const session = new Session();
  session.connect();
  const stops: StopPlace[] = [];
  const files = new Map<string, string>();
  session.on('Debugger.scriptParsed', ({ params }) => {
    files.set(params.scriptId, params.url);
  });
  session.post('Debugger.enable');
  const set = [...files]
    .filter(([, file]) => isWanted(code, file))
    .flatMap(([id]) => arm(session, id));
  assert(set.length > 0, `the sources of the ${code} are loaded`);
  session.on('Debugger.paused', ({ params }) => {
    // The debugger may have breakpoints of its own.
    if (stops.length > 0 || (params.hitBreakpoints ?? []).length === 0) return;
    for (const breakpointId of set) session.post('Debugger.removeBreakpoint', { breakpointId }); // (I2)
    const top = params.callFrames[0]?.location;
    const file = files.get(top?.scriptId ?? '');
    assert(top !== undefined && file !== undefined, 'a pause is at a place of a loaded file');
    stops.push({ file: fileURLToPath(file), line: top.lineNumber + 1 });
  });
  try {
    work();
  } finally {
    session.disconnect();
  }
  return stops[0] ?? null;
}

function isWanted(code: StopCode, file: string): boolean {
  if (!file.startsWith(actorsFolder)) return false;
  const name = file.slice(actorsFolder.length).replace(/\.[jt]s$/, '');
  return code === 'stepper' ? name === 'step' : !stepping.test(name);
}

/** Sets a breakpoint wherever the script can stop; a session of its own thread answers at once. */
function arm(session: Session, scriptId: string): string[] {
  const places: Debugger.BreakLocation[] = [];
  session.post(
    'Debugger.getPossibleBreakpoints',
    { start: { scriptId, lineNumber: 0, columnNumber: 0 } },
    (_error, found) => places.push(...(found?.locations ?? [])),
  );
  const set: string[] = [];
  for (const { lineNumber, columnNumber } of places) {
    const location: Debugger.Location = { scriptId, lineNumber };
    if (columnNumber !== undefined) location.columnNumber = columnNumber;
    session.post('Debugger.setBreakpoint', { location }, (_error, answer) => {
      if (answer !== undefined) set.push(answer.breakpointId);
    });
  }
  return set;
}
