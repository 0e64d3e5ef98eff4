/**
 * A seccomp filter as the bytes that the kernel takes: a classic BPF program
 * that looks at each system call of a sandbox process (seccomp(2)).
 *
 * It is a list of what is forbidden. A list of what is allowed would be
 * tighter, but Node.js, V8 and the C library choose their calls by version and
 * processor, and one call left out ends honest scripts on somebody's machine.
 *
 *   struct sock_filter, 8 bytes, little-endian:
 *
 *     0        2    3    4                8
 *     +--------+----+----+----------------+
 *     |  code  | jt | jf |       k        |
 *     +--------+----+----+----------------+
 *
 *   struct seccomp_data, which the program reads:
 *
 *     0       4       8                  16        24   …   64
 *     +-------+-------+------------------+---------+---------+
 *     |  nr   | arch  | instruction ptr  | args[0] |    …    |
 *     +-------+-------+------------------+---------+---------+
 *
 * Invariants
 *   F1. A call of another architecture than the one the program was built for
 *       ends the process: its numbers mean something else. So does a call of
 *       the x32 ABI, which shares the architecture of x86-64.
 *   F2. Every jump leads forward and to an instruction of the program.
 *   F3. What is not forbidden is allowed.
 */
import { assert } from '../../kernel/assert.ts';
import { type Architecture, callNumber, type SystemCall } from './system-calls.ts';

/**
 * isolate: one program with threads and no socket of its own.
 * script: a shell or Python, which also starts programs and may talk to itself
 * over a pair of sockets.
 */
export type SeccompProfile = 'isolate' | 'script';

const auditArchitecture: Readonly<Record<Architecture, number>> = {
  x64: 0xc000_003e,
  arm64: 0xc000_00b7,
};

const offsetOf = { number: 0, architecture: 4, firstArgument: 16 } as const;

/** BPF_LD | BPF_W | BPF_ABS and the like (linux/bpf_common.h). */
const op = {
  load: 0x20,
  jumpIfEqual: 0x15,
  jumpIfAtLeast: 0x35,
  jumpIfAnyBit: 0x45,
  answer: 0x06,
} as const;

const errno = { EPERM: 1, ENOSYS: 38 } as const;
const verdict = {
  allow: 0x7fff_0000,
  killProcess: 0x8000_0000,
  fail: (number: number): number => 0x0005_0000 | number,
} as const;

/** Numbers from here on are of the x32 ABI. */
const x32Bit = 0x4000_0000;
/** CLONE_NEWNS | NEWCGROUP | NEWUTS | NEWIPC | NEWUSER | NEWPID | NEWNET. */
const namespaceFlags = 0x7e02_0000;
const threadFlag = 0x0001_0000;
/** PER_LINUX, which runtimes set, and 0xffffffff, which only asks. */
const harmlessPersonalities = [0, 0xffff_ffff];

/** Forbidden to everybody in a sandbox, with EPERM. */
const forbidden: readonly SystemCall[] = [
  ...(['socket', 'connect', 'bind', 'listen', 'accept', 'accept4'] as const),
  ...(['ptrace', 'process_vm_readv', 'process_vm_writev', 'process_madvise', 'kcmp'] as const),
  ...(['pidfd_open', 'pidfd_getfd', 'bpf', 'perf_event_open', 'userfaultfd'] as const),
  ...(['add_key', 'request_key', 'keyctl', 'memfd_secret'] as const),
  ...(['mount', 'umount2', 'pivot_root', 'chroot', 'open_tree', 'move_mount'] as const),
  ...(['fsopen', 'fsconfig', 'fsmount', 'fspick', 'mount_setattr'] as const),
  ...(['unshare', 'setns', 'open_by_handle_at', 'name_to_handle_at', 'fanotify_init'] as const),
  ...(['kexec_load', 'kexec_file_load', 'init_module', 'finit_module', 'delete_module'] as const),
  ...(['reboot', 'swapon', 'swapoff', 'acct', 'quotactl', 'quotactl_fd', 'syslog'] as const),
  ...(['settimeofday', 'clock_settime', 'adjtimex', 'clock_adjtime'] as const),
  ...(['sethostname', 'setdomainname', 'vhangup', 'nfsservctl', 'lookup_dcookie'] as const),
  ...(['iopl', 'ioperm', 'modify_ldt', 'uselib', 'ustat', 'sysfs', '_sysctl'] as const),
  ...(['mknod', 'mknodat', 'migrate_pages', 'move_pages', 'mbind', 'set_mempolicy'] as const),
];

/** What only an isolate's process can do without. */
const forbiddenToIsolates: readonly SystemCall[] = [
  ...(['socketpair', 'sendto', 'recvfrom', 'sendmsg', 'recvmsg', 'sendmmsg', 'recvmmsg'] as const),
  ...(['fork', 'vfork'] as const),
];

/** Callers take ENOSYS for an older kernel and use another way. */
const absent: readonly SystemCall[] = [
  ...(['io_uring_setup', 'io_uring_enter', 'io_uring_register'] as const),
  // Its flags lie in memory that a filter cannot read; clone has them in a register.
  'clone3',
];

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly jt: number;
  readonly jf: number;
}

const load = (offset: number): Instruction => ({ code: op.load, k: offset, jt: 0, jf: 0 });
const answer = (k: number): Instruction => ({ code: op.answer, k, jt: 0, jf: 0 });
/** Goes on with the next instruction when the test holds, or skips `over` of them. */
const unless = (code: number, k: number, over: number): Instruction => ({
  code,
  k,
  jt: 0,
  jf: over,
});
/** Skips `over` instructions when the test holds. */
const when = (code: number, k: number, over: number): Instruction => ({ code, k, jt: over, jf: 0 });

/**
 * The filter for a processor and a kind of process, or null for a processor
 * whose call numbers are not known here: then there is no seccomp layer.
 */
export function seccompFilter(architecture: string, profile: SeccompProfile): Buffer | null {
  if (architecture !== 'x64' && architecture !== 'arm64') return null;
  return encode(program(architecture, profile));
}

function program(architecture: Architecture, profile: SeccompProfile): Instruction[] {
  const denied = profile === 'isolate' ? [...forbidden, ...forbiddenToIsolates] : forbidden;
  return [
    load(offsetOf.architecture), // (F1)
    when(op.jumpIfEqual, auditArchitecture[architecture], 1),
    answer(verdict.killProcess),
    load(offsetOf.number),
    ...(architecture === 'x64'
      ? [unless(op.jumpIfAtLeast, x32Bit, 1), answer(verdict.killProcess)]
      : []),
    ...denied.flatMap((call) => refuse(architecture, call, errno.EPERM)),
    ...absent.flatMap((call) => refuse(architecture, call, errno.ENOSYS)),
    ...onlyHarmlessPersonality(architecture),
    ...cloneRules(architecture, profile),
    answer(verdict.allow), // (F3)
  ];
}

function refuse(architecture: Architecture, call: SystemCall, number: number): Instruction[] {
  const k = callNumber(architecture, call);
  if (k === null) return [];
  return [unless(op.jumpIfEqual, k, 1), answer(verdict.fail(number))];
}

function onlyHarmlessPersonality(architecture: Architecture): Instruction[] {
  const k = callNumber(architecture, 'personality');
  assert(k !== null, 'every architecture has personality');
  const tests = harmlessPersonalities.map((persona, index) =>
    when(op.jumpIfEqual, persona, harmlessPersonalities.length - index),
  );
  return [
    unless(op.jumpIfEqual, k, tests.length + 3),
    load(offsetOf.firstArgument),
    ...tests,
    answer(verdict.fail(errno.EPERM)),
    answer(verdict.allow),
  ];
}

/** No new namespaces; and an isolate's process may start threads, but no process. */
function cloneRules(architecture: Architecture, profile: SeccompProfile): Instruction[] {
  const k = callNumber(architecture, 'clone');
  assert(k !== null, 'every architecture has clone');
  const threadsOnly =
    profile === 'isolate'
      ? [when(op.jumpIfAnyBit, threadFlag, 1), answer(verdict.fail(errno.EPERM))]
      : [];
  return [
    unless(op.jumpIfEqual, k, 3 + threadsOnly.length),
    load(offsetOf.firstArgument),
    unless(op.jumpIfAnyBit, namespaceFlags, 1),
    answer(verdict.fail(errno.EPERM)),
    ...threadsOnly,
  ];
}

function encode(instructions: readonly Instruction[]): Buffer {
  const bytes = Buffer.alloc(instructions.length * 8);
  instructions.forEach(({ code, k, jt, jf }, index) => {
    const target = index + 1 + Math.max(jt, jf);
    assert(target < instructions.length || code === op.answer, 'a jump leads into the program'); // (F2)
    const at = index * 8;
    bytes.writeUInt16LE(code, at);
    bytes.writeUInt8(jt, at + 2);
    bytes.writeUInt8(jf, at + 3);
    bytes.writeUInt32LE(k >>> 0, at + 4);
  });
  return bytes;
}
