/**
 * Goal: shell and Python scripts have what they are given and reach nothing
 * else, end at their limits, and leave nothing behind. Method: real scripts
 * under real bubblewrap.
 */

import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { executionLimits, type GivenLimits } from '../../src/sandbox/execution-limits.ts';
import type { HostLayers } from '../../src/sandbox/layers/host-layers.ts';
import { hostLayers } from '../../src/sandbox/layers/host-layers.ts';
import type { Mount } from '../../src/sandbox/mount.ts';
import { OverlayFileSystem } from '../../src/sandbox/overlay-file-system.ts';
import { type ScriptExecution, ScriptExecutor } from '../../src/sandbox/script-executor.ts';
import { descendantsOf } from './processes.ts';

const executor = new ScriptExecutor();
afterAll(() => executor.close());

type Options = Partial<ScriptExecution> & { readonly mounts?: readonly Mount[] };
const docs: Mount = {
  at: '/docs',
  files: new Map([
    ['a.txt', Buffer.from('one\n')],
    ['sub/ü b.txt', Buffer.from('two\n')],
  ]),
  folders: ['empty'],
};

function fileSystem(mounts: readonly Mount[] = [docs], given: GivenLimits = {}): OverlayFileSystem {
  const own = executionLimits(given);
  if (typeof own === 'string') throw new Error(own);
  return new OverlayFileSystem({ mounts, limits: own });
}

function run(language: ScriptExecution['language'], source: string, options: Options = {}) {
  const { mounts, ...rest } = options;
  return executor.execute({
    language,
    source,
    fileSystem: fileSystem(mounts, options.limits),
    ...rest,
  });
}

describe('a script', () => {
  test.each<[ScriptExecution['language'], string, string]>([
    [
      'sh',
      'cat /docs/a.txt "/docs/sub/ü b.txt"; ls -A /docs/empty; cat',
      'one\ntwo\n{"k":[1,"é"]}',
    ],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: The shell expands it.
    ['bash', 'declare -A m; m[x]=5; echo "${m[x]}"', '5\n'],
    [
      'py',
      'import json, sys\nprint(json.load(sys.stdin)["k"][1], open("/docs/a.txt").read(), end="")',
      'é one\n',
    ],
  ])(
    'in %s has files and input, and its value is what it writes',
    async (language, source, value) => {
      expect(await run(language, source, { input: { k: [1, 'é'] } })).toMatchObject({
        ok: true,
        value,
      });
    },
  );

  test('has the layers that the host has, and tells them', async () => {
    const { states } = await hostLayers();
    const expected = (['bubblewrap', 'seccomp', 'cgroup'] as const).filter(
      (name) => states[name].works,
    );
    expect((await run('sh', ':')).layers).toEqual(expected);
  });

  test('leaves files under /out, and its console line by line', async () => {
    const system = fileSystem();
    const outcome = await run(
      'py',
      `
import os, sys
os.makedirs("/out/d/e")
open("/out/d/r.json", "w").write("{}")
open("/job/gone", "w").write("x")
open("/out/large", "wb").write(bytes(3000000))
print("said")
print("wrong", file=sys.stderr)
`,
      { fileSystem: system },
    );
    expect(outcome).toMatchObject({ ok: true, value: 'said\n', console: 'said\nwrong\n' });
    expect(outcome.lines).toEqual([
      { level: 'log', text: 'said' },
      { level: 'error', text: 'wrong' },
    ]);
    expect(outcome.files?.map(({ path, bytes }) => [path, bytes])).toEqual([
      ['d/r.json', 2],
      ['large', 3_000_000],
    ]);
    expect(system.stat('/out/d/e').type).toBe('folder');
    expect(system.readdir('/').map(({ name }) => name)).toEqual(['docs', 'out']);
  });

  test('that fails is an error with its status and the last that it said', async () => {
    expect((await run('sh', 'echo first >&2; echo last >&2; exit 3')).error).toEqual({
      code: 'SANDBOX_SCRIPT_ERROR',
      message: 'The script ended with status 3: last',
    });
    expect((await run('py', 'def f(:')).error?.message).toContain('SyntaxError');
    expect((await run('sh', 'kill -9 $$')).error?.code).toBe('SANDBOX_SCRIPT_ERROR');
  });

  test('may do with its copy of a mount what it likes', async () => {
    const system = fileSystem();
    const source = 'echo changed > /docs/a.txt; rm -r /docs/sub; ls /docs; cat /docs/a.txt';
    expect(await run('sh', source, { fileSystem: system })).toMatchObject({
      value: 'a.txt\nempty\nchanged\n',
    });
    expect(system.readFile('/docs/a.txt').toString()).toBe('one\n');
  });
});

describe('the host', () => {
  test('has an empty environment for it, no identity, and nothing of its files but programs', async () => {
    process.env.OPENCLAW_TEST_CANARY = 'canary-in-the-environment';
    const folder = mkdtempSync(join(tmpdir(), 'openclaw-canary-'));
    writeFileSync(join(folder, 'canary'), 'canary-in-a-file');
    try {
      const source = `env; id -u; hostname; ls -A / /tmp /home /root 2>&1; cat '${folder}/canary' 2>&1; ls -l /proc/self/fd | wc -l`;
      const { value } = await run('sh', source);
      const text = String(value);
      expect(text).not.toContain('canary-in');
      expect(text).toContain('65534\nsandbox\n');
      const names = /\/:\n([\s\S]*?)\n\n/.exec(text)?.[1]?.split('\n');
      expect(
        names?.filter(
          (name) => !/^(bin|captured|dev|docs|etc|lib\w*|out|proc|sbin|tmp|usr|job)$/.test(name),
        ),
      ).toEqual([]);
      const environment = [...text.matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
      expect(environment.sort()).toEqual([
        'HOME',
        'LANG',
        'OLDPWD',
        'PATH',
        'PWD',
        'PYTHONHASHSEED',
        'TZ',
      ]);
    } finally {
      delete process.env.OPENCLAW_TEST_CANARY;
      rmSync(folder, { recursive: true });
    }
  });

  test.each([
    ['/usr/bin', 'echo x > /usr/bin/openclaw-test'],
    ['/etc', 'echo x > /etc/openclaw-test'],
    ['/dev', 'echo x > /dev/openclaw-test'],
    ['/dev/shm', 'echo x > /dev/shm/openclaw-test'],
    ['/', 'echo x > /openclaw-test'],
    ['/captured', 'echo x > /captured/openclaw-test'],
    ['a setting of the kernel', 'cat /proc/sys/kernel/hostname > /proc/sys/kernel/hostname'],
    ['a mount', 'mount -t tmpfs none /tmp'],
    ['another namespace', 'unshare -U true'],
    ['a trigger of the kernel', ': > /proc/sysrq-trigger'],
    ['its own priority for memory', 'echo 0 > /proc/self/oom_score_adj'],
    ['a device', 'mknod /job/d c 1 1'],
    ['a pipe that others could open', 'mkfifo /out/x'],
    ['a chroot', 'chroot /job /bin/true'],
    ['the first process', 'kill -9 1; kill -0 1 && exit 1'],
  ])('keeps %s from it', async (_what, source) => {
    expect((await run('sh', `${source} || exit 7`)).error?.message).toMatch(
      /status (1|2|7|126|127)/,
    );
  });

  test('shows it no process and no network', async () => {
    const reached: string[] = [];
    const server = createServer((socket) => {
      reached.push('connection');
      socket.destroy();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const source = `
import os, socket
seen = [p for p in os.listdir("/proc") if p.isdigit()]
print(len(seen) < 10, os.path.exists("/proc/${process.pid}/environ") and "host" in open("/proc/1/cmdline").read())
for family, target in ((socket.AF_INET, ("127.0.0.1", ${port})), (socket.AF_UNIX, "/tmp/x"), (socket.AF_INET6, ("::1", ${port}))):
    try:
        s = socket.socket(family)
        s.connect(target)
        print("connected")
    except OSError as e:
        print("refused")
print(open("/proc/net/dev").read().count(":"), )
`;
    const { value } = await run('py', source);
    server.close();
    expect(String(value)).toBe('True False\nrefused\nrefused\nrefused\n1\n');
    expect(reached).toEqual([]);
  });
});

describe('limits', () => {
  test.each<[string, ScriptExecution['language'], string, Options]>([
    ['SANDBOX_TIMEOUT', 'sh', 'while :; do :; done', { timeoutMs: 400 }],
    ['SANDBOX_TIMEOUT', 'sh', 'sleep 50 & sleep 50', { timeoutMs: 400 }],
    [
      'SANDBOX_TIMEOUT',
      'sh',
      'trap "" TERM INT HUP; while :; do sleep 1; done',
      { timeoutMs: 400 },
    ],
    ['SANDBOX_CPU', 'py', 'while True: pass', { timeoutMs: 20_000, cpuMs: 200 }],
    [
      'SANDBOX_MEMORY',
      'py',
      'a = []\nwhile True: a.append(bytearray(1 << 20))',
      { memoryMb: 24, timeoutMs: 20_000 },
    ],
    ['SANDBOX_OUTPUT', 'sh', 'yes | head -c 400000', {}],
    [
      'SANDBOX_OUTPUT',
      'sh',
      'head -c 200000 /dev/zero > /out/x',
      { limits: { outputBytes: 100_000 } },
    ],
    [
      'SANDBOX_OUTPUT',
      'sh',
      'for i in 1 2 3 4 5 6; do echo > /out/$i; done',
      { limits: { files: 3 } },
    ],
    [
      'SANDBOX_FILES',
      'sh',
      'exec head -c 200000 /dev/zero > /job/x',
      { limits: { fileBytes: 100_000 } },
    ],
  ])('%s: %s %s', async (code, language, source, options) => {
    expect((await run(language, source, options)).error?.code).toBe(code);
  });

  test('bound how much it writes besides, and how many processes it has', async () => {
    const full = await run(
      'sh',
      'for i in 1 2 3 4 5 6 7 8; do head -c 1000000 /dev/zero > /job/$i || exit 9; done',
      {
        limits: { totalBytes: 3_000_000 },
      },
    );
    expect(full.error?.message).toMatch(/No space left/);
    const started = performance.now();
    const bomb = await run('bash', 'f() { f | f & }; f; sleep 30', { timeoutMs: 1_500 });
    expect(bomb.ok).toBe(false);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(await run('sh', 'echo unharmed')).toMatchObject({ value: 'unharmed\n' });
  });

  test('that are unacceptable are refused', async () => {
    expect((await run('sh', '', { timeoutMs: 0 })).error?.code).toBe('SANDBOX_INPUT_INVALID');
    expect((await run('sh', 'x'.repeat(limits.sandboxScriptBytesMax + 1))).error?.code).toBe(
      'SANDBOX_INPUT_INVALID',
    );
    expect(
      (await executor.execute({ language: 'sh', source: '', limits: { files: -1 } })).error?.code,
    ).toBe('SANDBOX_INPUT_INVALID');
  });
});

describe('what it leaves under /out', () => {
  test.each([
    ['a link', 'ln -s /etc/passwd /out/x', /"out\/x" is refused: it is a symlink/],
    ['a link to a folder', 'ln -s / /out/x', /symlink/],
    ['a second name of a file', 'echo 1 > /out/a; ln /out/a /out/b', /is a link/],
    ['a name with a line break', 'echo 1 > "/out/a\nb"', /no acceptable name/],
    ['a name with a backslash', "echo 1 > '/out/..\\x'", /leads out/],
    ['names that differ in case alone', 'echo 1 > /out/a; echo 2 > /out/A', /is there twice/],
  ])('is refused as a whole if there is %s', async (_what, source, message) => {
    const { error } = await run('sh', source);
    expect(error).toMatchObject({
      code: 'SANDBOX_OUTPUT',
      message: expect.stringMatching(message),
    });
  });

  test('cannot be more than what it may be, however it says so', async () => {
    const sparse = await run(
      'sh',
      'truncate -s 7M /out/a; truncate -s 7M /out/b; truncate -s 7M /out/c',
    );
    expect(sparse.error?.code).toBe('SANDBOX_OUTPUT');
    const forged = await run(
      'py',
      `
import os
for name in os.listdir("/proc/1/fd"):
    try:
        os.write(os.open("/proc/1/fd/" + name, os.O_WRONLY), b"forged" * 1000)
    except OSError:
        pass
print("done")
`,
    );
    // Whether or not it got through to the launcher's own pipe: an answer or a refusal, no more.
    if (!forged.ok) expect(forged.error?.code).toMatch(/^SANDBOX_(CRASHED|OUTPUT)$/);
    expect(await run('sh', 'echo unharmed')).toMatchObject({ value: 'unharmed\n' });
  });
});

describe('nothing is run', () => {
  const without = (name: 'bubblewrap' | 'seccomp'): Promise<HostLayers> =>
    hostLayers().then(({ states, inUse }) => ({
      states: {
        ...states,
        [name]: { works: false, reason: 'it is not here', remedy: 'Install it.' },
      },
      inUse,
    }));

  test('without bubblewrap, whatever the policy says', async () => {
    const bare = new ScriptExecutor({ host: await without('bubblewrap') });
    expect((await bare.execute({ language: 'sh', source: 'echo ran' })).error).toEqual({
      code: 'SANDBOX_LAYER_MISSING',
      message:
        'A sh script is run under bubblewrap or not at all, and it does not work here. Install it.',
    });
  });

  test('without a layer that the policy requires', async () => {
    const policy = {
      bubblewrap: 'degrade',
      seccomp: 'require',
      cgroup: 'degrade',
      permission: 'degrade',
    } as const;
    const bare = new ScriptExecutor({ host: await without('seccomp'), policy });
    expect((await bare.execute({ language: 'sh', source: 'echo ran' })).error?.code).toBe(
      'SANDBOX_LAYER_MISSING',
    );
  });

  test.each([['/usr'], ['/job/x'], ['/'], ['/etc/ssl'], ['/captured']])(
    'where something is mounted at %s',
    async (at) => {
      const mounts = [{ at, files: new Map([['f', Buffer.from('x')]]) }];
      expect((await run('sh', 'echo ran', { mounts })).error?.code).toBe('SANDBOX_MOUNT_INVALID');
    },
  );
});

describe('afterwards', () => {
  test('nothing is left of it, also of one that is aborted or left running', async () => {
    const folders = (): string[] =>
      readdirSync(tmpdir()).filter((name) => !name.startsWith('openclaw-'));
    const before = folders();
    const controller = new AbortController();
    const aborted = run('sh', 'sleep 60', { timeoutMs: 60_000, signal: controller.signal });
    await new Promise((resolve) => setTimeout(resolve, 200));
    controller.abort();
    expect((await aborted).error?.code).toBe('INTENTION_ABORTED');
    expect(await run('sh', '(sleep 987 &); (setsid sleep 987 &); echo done')).toMatchObject({
      ok: true,
    });
    const left = descendantsOf(process.pid).filter((pid) => {
      try {
        return /bwrap|launcher|sleep/.test(readFileSync(`/proc/${pid}/cmdline`, 'utf8'));
      } catch {
        return false;
      }
    });
    expect(left).toEqual([]);
    expect(folders()).toEqual(before);
  });

  test('closing ends what runs and refuses what comes', async () => {
    const own = new ScriptExecutor();
    const running = own.execute({ language: 'sh', source: 'sleep 60', timeoutMs: 60_000 });
    await new Promise((resolve) => setTimeout(resolve, 200));
    await own.close();
    expect((await running).error?.code).toBe('SANDBOX_CRASHED');
    expect((await own.execute({ language: 'sh', source: ':' })).error?.code).toBe(
      'SANDBOX_CRASHED',
    );
  });
});

test('an aborted execution never begins', async () => {
  expect((await run('sh', 'echo ran', { signal: AbortSignal.abort() })).error?.code).toBe(
    'INTENTION_ABORTED',
  );
});
