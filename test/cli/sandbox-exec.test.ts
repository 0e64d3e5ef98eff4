/**
 * Goal: `claw sandbox exec` takes whatever file and folder anybody names, and
 * ends with one JSON object and a documented status. Method: the real command
 * with its real sandbox, in this process; standard input in a process of its own.
 */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { exitStatus } from '../../src/kernel/errors.ts';
import { run } from './harness.ts';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'openclaw-exec-'));
  mkdirSync(join(folder, 'docs/sub'), { recursive: true });
  writeFileSync(join(folder, 'docs/a.txt'), 'one\n');
  writeFileSync(join(folder, 'docs/sub/b.txt'), 'two\n');
  writeFileSync(join(folder, 'canary.txt'), 'canary');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

async function exec(source: string, words: readonly string[] = [], file = 's.js') {
  writeFileSync(join(folder, file), source);
  const ended = await run(['sandbox', 'exec', file, ...words, '--json'], { cwd: folder });
  return { status: ended.status, stderr: ended.stderr, answer: JSON.parse(ended.stdout) };
}

async function archive(names: readonly string[]): Promise<Buffer> {
  const packed = pack();
  for (const name of names) packed.entry({ name }, `in ${name}`);
  packed.finalize();
  return gzipSync(Buffer.concat(await Array.fromAsync(packed as AsyncIterable<Buffer>)));
}

test('mounts folders and archives, and writes what it leaves into a new folder', async () => {
  writeFileSync(join(folder, 'x.tgz'), await archive(['deep/c.txt']));
  const source = `
    const names = await fs.readdir('/docs');
    await fs.mkdir('/out/d');
    await fs.writeFile('/out/d/r.txt', await fs.readFile('/docs/sub/b.txt', 'utf8') + await fs.readFile('/arch/deep/c.txt', 'utf8'));
    console.warn('careful');
    ({ names, input, random: Math.random(), now: Date.now() })`;
  const words = [
    '--mount',
    'docs',
    '--archive',
    'x.tgz:/arch',
    '--out',
    'left',
    '--input',
    '{"k":1}',
    '--seed',
    '3',
    '--time',
    '5',
  ];
  const { status, answer } = await exec(source, words);
  expect(status).toBe(0);
  expect(answer).toMatchObject({
    ok: true,
    value: { names: ['a.txt', 'sub'], input: { k: 1 }, now: 5 },
    console: 'careful\n',
    lines: [{ level: 'warn', text: 'careful' }],
    files: [{ path: 'd/r.txt', bytes: 17, mediaType: 'text/plain' }],
    usage: { wallMs: expect.any(Number) },
    layers: expect.arrayContaining(['permission']),
  });
  expect(readFileSync(join(folder, 'left/d/r.txt'), 'utf8')).toBe('two\nin deep/c.txt');
  expect(readFileSync(join(folder, 'docs/sub/b.txt'), 'utf8')).toBe('two\n');
  expect(
    (
      await exec(
        source,
        words.filter((word) => !['--out', 'left'].includes(word)),
      )
    ).answer.value,
  ).toEqual(answer.value);
});

test('tells what it did not mount, and follows no link', async () => {
  symlinkSync('../canary.txt', join(folder, 'docs/link'));
  symlinkSync('..', join(folder, 'docs/up'));
  const source = `const all = []; for (const p of ['/docs/link', '/docs/up/canary.txt', '/docs/../canary.txt', '../canary.txt', '/canary.txt', input])
    all.push(await fs.readFile(p, 'utf8').catch((e) => e.code)); all`;
  const { answer } = await exec(source, [
    '--mount',
    'docs',
    '--input',
    JSON.stringify(join(folder, 'canary.txt')),
  ]);
  expect(answer.value).toEqual(Array.from({ length: 6 }, () => 'ENOENT'));
  expect(answer.leftOut).toEqual(['link (a symbolic link)', 'up (a symbolic link)']);
});

test.each([
  ['s.ts', 'const n: number = 6; n * 7', 42],
  ['s.sh', 'cat /docs/a.txt', 'one\n'],
  ['s.bash', '[[ a < b ]] && cat', '{"k":1}'],
  ['s.py', 'import json, sys; print(json.load(sys.stdin)["k"] + 1)', '2\n'],
])('chooses the language of %s by its extension', async (file, source, value) => {
  const { status, answer } = await exec(source, ['--mount', 'docs', '--input', '{"k":1}'], file);
  expect([status, answer.value]).toEqual([0, value]);
});

test('takes another language, and an input from a file', async () => {
  writeFileSync(join(folder, 'in.json'), '[1, 2]');
  expect(
    (
      await exec('const a = input as number[]; a.length', [
        '--language',
        'ts',
        '--input',
        'in.json',
      ])
    ).answer.value,
  ).toBe(2);
});

test.each([
  ['SANDBOX_CALLS', 'for (;;) await fs.stat("/")', ['--calls', '4']],
  ['SANDBOX_FILES', 'for (let i = 0; ; i++) await fs.writeFile("/" + i, "")', ['--files', '3']],
  ['SANDBOX_FILES', 'await fs.writeFile("/x", "y".repeat(11))', ['--file-bytes', '10']],
  ['SANDBOX_FILES', 'await fs.writeFile("/x", "y".repeat(11))', ['--total-bytes', '10']],
  [
    'SANDBOX_OUTPUT',
    'await fs.writeFile("/out/x", "y".repeat(11))',
    ['--output-bytes', '10', '--out', 'left'],
  ],
  ['SANDBOX_MESSAGE', 'await fs.writeFile("/x", "y".repeat(1025))', ['--message-bytes', '1024']],
  ['SANDBOX_CPU', 'for (;;);', ['--cpu-ms', '150']],
  ['SANDBOX_TIMEOUT', 'await new Promise(() => {})', ['--timeout-ms', '200']],
])('%s ends with status 6 and leaves nothing', async (code, source, words) => {
  const { status, answer, stderr } = await exec(source, words);
  expect([status, answer.ok, answer.error.code]).toEqual([exitStatus.runFailed, false, code]);
  expect(stderr).toContain(`(${code})`);
  expect(readdirSync(folder)).not.toContain('left');
});

test.each([
  ['SANDBOX_MOUNT_INVALID', ['--mount', 'none'], /none cannot be mounted/],
  ['SANDBOX_MOUNT_INVALID', ['--mount', 'canary.txt'], /cannot be mounted/],
  ['SANDBOX_MOUNT_INVALID', ['--mount', 'docs:/out'], /is for outputs/],
  ['SANDBOX_MOUNT_INVALID', ['--mount', 'docs:/a\\b'], /Nothing can be mounted at/],
  ['SANDBOX_MOUNT_INVALID', ['--mount', 'docs', '--mount', 'docs'], /is mounted twice/],
  ['SANDBOX_MOUNT_INVALID', ['--archive', 'none.zip'], /cannot be read/],
  ['SANDBOX_MOUNT_INVALID', ['--archive', 'docs'], /is not a regular file/],
  ['SANDBOX_MOUNT_INVALID', ['--archive', 'canary.txt'], /no tar, tar.gz or zip/],
  ['SANDBOX_MOUNT_INVALID', ['--archive', '/dev/zero'], /is not a regular file/],
  ['SANDBOX_INPUT_INVALID', ['--input', '{'], /no JSON/],
  ['SANDBOX_INPUT_INVALID', ['--input', 'canary.txt'], /is not JSON/],
  ['OUTPUT_NOT_WRITABLE', ['--out', 'docs'], /is not empty/],
  ['OUTPUT_NOT_WRITABLE', ['--out', 'none/left'], /parent is not there/],
  ['OUTPUT_NOT_WRITABLE', ['--out', 'canary.txt'], /is no folder/],
])('%s is bad input: %j', async (code, words, says) => {
  const { status, answer } = await exec('1', words);
  expect([status, answer.error.code]).toEqual([exitStatus.badInput, code]);
  expect(answer.error.message).toMatch(says);
});

test.each(['../x', '/etc/x', 'a/../../x'])(
  'an archive with an entry %s is refused with its name',
  async (name) => {
    writeFileSync(join(folder, 'bad.tgz'), await archive(['fine', name]));
    const { status, answer } = await exec('1', ['--archive', 'bad.tgz']);
    expect([status, answer.error.code]).toEqual([exitStatus.badInput, 'SANDBOX_MOUNT_INVALID']);
    expect(answer.error.message).toContain(JSON.stringify(name));
  },
);

test.each([
  ['--language', 'rb'],
  ['--seed', '-1'],
  ['--seed', '4294967296'],
  ['--calls', '1e3'],
  ['--message-bytes', '1'],
])('%s %s is a wrong option', async (...words) => {
  writeFileSync(join(folder, 's.js'), '1');
  const { status, stderr } = await run(['sandbox', 'exec', 's.js', ...words], { cwd: folder });
  expect([status, stderr.includes('(USAGE)')]).toEqual([exitStatus.badInput, true]);
});

test('prints what a shell script prints as it is, and what a script logs beside the answer', async () => {
  writeFileSync(join(folder, 's.sh'), 'echo plain; echo aside >&2');
  expect(await run(['sandbox', 'exec', 's.sh'], { cwd: folder })).toMatchObject({
    status: 0,
    stdout: 'plain\n',
  });
  writeFileSync(join(folder, 's.js'), 'console.log("aside"); "text"');
  expect(await run(['sandbox', 'exec', 's.js'], { cwd: folder })).toEqual({
    status: 0,
    stdout: '"text"\n',
    stderr: 'aside\n',
  });
});

test.each<[string | Buffer, number, unknown]>([
  ['input.a + 1', 0, { ok: true, value: 2 }],
  [Buffer.from([0xff, 0xfe]), exitStatus.badInput, { error: { code: 'SANDBOX_INPUT_INVALID' } }],
  [Buffer.alloc(300_000, ' '), exitStatus.badInput, { error: { code: 'SANDBOX_INPUT_INVALID' } }],
  ['', 0, { ok: true, value: null }],
])('reads the script from standard input (%#)', (stdin, status, answer) => {
  const claw = fileURLToPath(new URL('../../bin/claw.js', import.meta.url));
  const ended = spawnSync(
    process.execPath,
    [claw, 'sandbox', 'exec', '-', '--input', '{"a":1}', '--json'],
    {
      input: stdin,
      encoding: 'utf8',
      env: { ...process.env, OPENCLAW_HOME: join(folder, 'data') },
    },
  );
  expect(ended.status).toBe(status);
  expect(JSON.parse(ended.stdout)).toMatchObject(answer as object);
});
