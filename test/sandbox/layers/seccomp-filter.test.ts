/**
 * Goal: the filter decides each call as the list says, on each processor.
 * Method: a small machine for classic BPF runs the very bytes that the kernel
 * gets; the numbers here are written out, so that a wrong table is noticed.
 */
import { describe, expect, test } from 'vitest';
import { type SeccompProfile, seccompFilter } from '../../../src/sandbox/layers/seccomp-filter.ts';

const x64 = 0xc000003e;
const arm64 = 0xc00000b7;
const verdicts: ReadonlyMap<number, string> = new Map([
  [0x7fff0000, 'allow'],
  [0x80000000, 'kill'],
  [0x00050001, 'EPERM'],
  [0x00050026, 'ENOSYS'],
]);

interface Call {
  readonly nr: number;
  readonly arch?: number;
  readonly argument?: number;
}

function decide(architecture: string, profile: SeccompProfile, call: Call): string {
  const program = seccompFilter(architecture, profile);
  if (program === null) throw new Error('there is no filter');
  const { nr, arch = architecture === 'x64' ? x64 : arm64, argument = 0 } = call;
  const data = new Map([
    [0, nr],
    [4, arch],
    [16, argument],
  ]);
  let accumulator = 0;
  for (let at = 0; at < program.length; at += 8) {
    const k = program.readUInt32LE(at + 4);
    const jump = (holds: boolean): void => {
      at += 8 * program.readUInt8(at + (holds ? 2 : 3));
    };
    switch (program.readUInt16LE(at)) {
      case 0x20:
        accumulator = data.get(k) ?? Number.NaN;
        break;
      case 0x15:
        jump(accumulator === k);
        break;
      case 0x35:
        jump(accumulator >= k);
        break;
      case 0x45:
        jump((accumulator & k) !== 0);
        break;
      case 0x06:
        return verdicts.get(k) ?? `unknown verdict ${k}`;
      default:
        throw new Error(`unknown instruction at ${at}`);
    }
  }
  throw new Error('the program ran out of its end');
}

describe.each([
  { architecture: 'x64', socket: 41, connect: 42, ptrace: 101, mount: 165, bpf: 321, clone: 56 },
  {
    architecture: 'arm64',
    socket: 198,
    connect: 203,
    ptrace: 117,
    mount: 40,
    bpf: 280,
    clone: 220,
  },
])('on $architecture', ({ architecture, clone, ...calls }) => {
  const decideHere = (profile: SeccompProfile, call: Call) => decide(architecture, profile, call);

  test.each(Object.entries(calls))('%s is forbidden to isolates and scripts', (_name, nr) => {
    expect(decideHere('isolate', { nr })).toBe('EPERM');
    expect(decideHere('script', { nr })).toBe('EPERM');
  });

  test('a process has threads, an isolate has no child, and nobody new namespaces', () => {
    const thread = 0x003d0f00;
    const child = 0x01200011;
    expect(decideHere('isolate', { nr: clone, argument: thread })).toBe('allow');
    expect(decideHere('script', { nr: clone, argument: thread })).toBe('allow');
    expect(decideHere('isolate', { nr: clone, argument: child })).toBe('EPERM');
    expect(decideHere('script', { nr: clone, argument: child })).toBe('allow');
    for (const namespace of [
      0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
    ]) {
      expect(decideHere('script', { nr: clone, argument: child | namespace })).toBe('EPERM');
      expect(decideHere('isolate', { nr: clone, argument: thread | namespace })).toBe('EPERM');
    }
  });

  test('calls for which there is an older way are said to be absent', () => {
    for (const nr of [425, 426, 427, 435]) expect(decideHere('script', { nr })).toBe('ENOSYS');
  });

  test('a call in the numbers of another processor ends the process', () => {
    const other = architecture === 'x64' ? arm64 : x64;
    expect(decideHere('script', { nr: 1, arch: other })).toBe('kill');
    expect(decideHere('script', { nr: 1, arch: 0x40000003 })).toBe('kill');
  });
});

test('a call of the x32 interface ends the process', () => {
  expect(decide('x64', 'script', { nr: 0x40000000 + 41 })).toBe('kill');
  expect(decide('x64', 'script', { nr: 0x40000000 })).toBe('kill');
});

test('what Node.js lives on is allowed', () => {
  const [read, write, mmap, futex, execve, getrandom, exit] = [0, 1, 9, 202, 59, 318, 231];
  for (const nr of [read, write, mmap, futex, execve, getrandom, exit]) {
    expect(decide('x64', 'isolate', { nr: nr ?? -1 })).toBe('allow');
  }
});

test('a personality may be asked for and be the usual one, nothing else', () => {
  const personality = 135;
  expect(decide('x64', 'script', { nr: personality, argument: 0 })).toBe('allow');
  expect(decide('x64', 'script', { nr: personality, argument: 0xffffffff })).toBe('allow');
  expect(decide('x64', 'script', { nr: personality, argument: 0x0040000 })).toBe('EPERM');
});

test('a script may talk to itself over a pair of sockets, an isolate need not', () => {
  const socketpair = 53;
  expect(decide('x64', 'script', { nr: socketpair })).toBe('allow');
  expect(decide('x64', 'isolate', { nr: socketpair })).toBe('EPERM');
});

test('there is no filter for a processor whose numbers are not known', () => {
  expect(seccompFilter('riscv64', 'isolate')).toBeNull();
});
