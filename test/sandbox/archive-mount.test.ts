/**
 * Goal: an archive is taken whole or refused with the name of the entry.
 * Method: archives that are packed here, zip files byte by byte, because no
 * honest tool makes the hostile ones.
 */
import { crc32, deflateRawSync, gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { expect, test } from 'vitest';
import { limits } from '../../src/kernel/limits.ts';
import { readArchive } from '../../src/sandbox/archive-mount.ts';
import { executionLimits, type FileLimits } from '../../src/sandbox/execution-limits.ts';
import { MountBudget } from '../../src/sandbox/mount-budget.ts';
import { OverlayFileSystem } from '../../src/sandbox/overlay-file-system.ts';
import { traversalStrings } from './traversal-strings.ts';

interface Packed {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link' | 'character-device' | 'fifo';
  readonly text?: string | Buffer;
}

async function tar(entries: readonly Packed[]): Promise<Buffer> {
  const packed = pack();
  for (const { name, type = 'file', text = '' } of entries) {
    packed.entry({ name, type, linkname: '/etc/passwd' }, type === 'file' ? text : '');
  }
  packed.finalize();
  return Buffer.concat(await Array.fromAsync(packed as AsyncIterable<Buffer>));
}

interface Zipped {
  readonly name: string | Buffer;
  readonly text?: string | Buffer;
  /** Mode of Unix, such as 0o120777 of a symbolic link. */
  readonly mode?: number;
  readonly declared?: number;
  readonly flags?: number;
}

/** PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16, deflated, without extras. */
function zip(entries: readonly Zipped[]): Buffer {
  const locals: Buffer[] = [];
  const central: Buffer[] = [];
  let offset = 0;
  for (const { name, text = '', mode = 0o100644, declared, flags = 0x800 } of entries) {
    const bytes = Buffer.from(name);
    const content = Buffer.from(text);
    const packed = deflateRawSync(content);
    const common = Buffer.alloc(26);
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(flags, 2);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(declared ?? content.length, 18);
    common.writeUInt16LE(bytes.length, 22);
    const local = Buffer.concat([Buffer.from('PK\u0003\u0004'), common, bytes, packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(offset, 10);
    central.push(Buffer.from('PK\u0001\u0002'), Buffer.from([20, 3]), common, tail, bytes);
    locals.push(local);
    offset += local.length;
  }
  const directory = Buffer.concat(central);
  const end = Buffer.alloc(22);
  end.write('PK\u0005\u0006', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(directory.length, 12);
  end.writeUInt32LE(offset, 16);
  return Buffer.concat([...locals, directory, end]);
}

const read = (bytes: Buffer) => readArchive(bytes, { at: '/docs', budget: new MountBudget() });

async function texts(bytes: Buffer): Promise<Record<string, string>> {
  const { files } = await read(bytes);
  return Object.fromEntries([...files].map(([name, content]) => [name, content.toString()]));
}

const honest = [
  { name: 'sub/', type: 'directory' },
  { name: './a.txt', text: 'one' },
  { name: 'sub/b.txt', text: 'two' },
  { name: `${'long-'.repeat(30)}name.txt`, text: 'three' },
  { name: 'ü/ｘ', text: 'four' },
] as const;
const expected = {
  'a.txt': 'one',
  'sub/b.txt': 'two',
  [`${'long-'.repeat(30)}name.txt`]: 'three',
  'ü/ｘ': 'four',
};

test('an honest archive is mounted, tar, gzipped or zip', async () => {
  expect(await texts(await tar(honest))).toEqual(expected);
  expect(await texts(gzipSync(await tar(honest)))).toEqual(expected);
  expect(
    await texts(zip(honest.map(({ name, ...rest }) => ({ name, text: '', ...rest })))),
  ).toEqual(expected);
  const { folders } = await read(await tar(honest));
  expect(folders).toEqual(['sub']);
  expect(await texts(zip([]))).toEqual({});
});

const names: [string, string][] = [
  ['../x', 'leads out'],
  ['a/../../x', 'leads out'],
  ['a/..', 'leads out'],
  ['..', 'leads out'],
  ['a\\..\\..\\x', 'leads out'],
  ['/etc/passwd', 'absolute'],
  ['//host/share', 'absolute'],
  ['C:/x', 'no acceptable name'],
  ['a\\b', 'no acceptable name'],
  ['a\u0001b', 'no acceptable name'],
  ['x'.repeat(300), 'no acceptable name'],
  ['a/'.repeat(40), 'no acceptable name'],
];

test.each(names)('an entry named %j is refused: it %s', async (name, reason) => {
  for (const bytes of [await tar([{ name }]), zip([{ name }])]) {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'SANDBOX_MOUNT_INVALID',
      message: expect.stringContaining(reason),
    });
  }
});

test('of thousands of names none becomes a file with another name', async () => {
  const standard = executionLimits() as FileLimits;
  let taken = 0;
  for (const name of traversalStrings().filter((_, index) => index % 5 === 0)) {
    try {
      const mount = await read(zip([{ name, text: 'x' }]));
      const [path = ''] = mount.files.keys();
      const fs = new OverlayFileSystem({ mounts: [mount], limits: standard });
      if (mount.files.size > 0) expect(fs.readFile(`/docs/${path}`).toString()).toBe('x');
      expect(name.split('/')).not.toContain('..');
      taken += 1;
    } catch (error) {
      expect(error).toHaveProperty('code', 'SANDBOX_MOUNT_INVALID');
    }
  }
  expect(taken).toBeGreaterThan(100);
});

test.each(['symlink', 'link', 'character-device', 'fifo'] as const)(
  'a %s in a tar file is refused',
  async (type) => {
    await expect(read(await tar([{ name: 'ok' }, { name: 'bad', type }]))).rejects.toMatchObject({
      code: 'SANDBOX_MOUNT_INVALID',
      message: expect.stringContaining('"bad"'),
    });
  },
);

test.each([
  ['a link', { name: 'bad', text: '/etc/passwd', mode: 0o120777 }],
  ['a device', { name: 'bad', mode: 0o020666 }],
  ['a pipe', { name: 'bad', mode: 0o010666 }],
  ['an encrypted file', { name: 'bad', text: 'x', flags: 0x801 }],
])('%s in a zip file is refused', async (_what, entry) => {
  await expect(read(zip([{ name: 'ok' }, entry]))).rejects.toMatchObject({
    code: 'SANDBOX_MOUNT_INVALID',
    message: expect.stringContaining('"bad"'),
  });
});

test.each([
  [['a', 'a']],
  [['a', './a']],
  [['a', 'A']],
  [['sub/a', 'SUB/b']],
  [['a', 'a/b']],
  [['a/b', 'a']],
  [['\u00e9', 'e\u0301']],
  [['ﬁle', 'file']],
])('names that some file system takes for one are refused: %j', async (both) => {
  for (const bytes of [
    await tar(both.map((name) => ({ name }))),
    zip(both.map((name) => ({ name }))),
  ]) {
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'SANDBOX_MOUNT_INVALID',
      message: expect.stringContaining('is there twice'),
    });
  }
});

test('a name that is not UTF-8 is refused', async () => {
  const name = Buffer.from([0x61, 0xc0, 0xae, 0xc0, 0xae]);
  await expect(read(zip([{ name }]))).rejects.toMatchObject({
    message: expect.stringContaining('not UTF-8'),
  });
});

test('what unpacks to more than the bound is refused while it unpacks', async () => {
  const zeros = Buffer.alloc(limits.sandboxMountBytesMax / 4 + 1);
  const four = ['a', 'b', 'c', 'd'].map((name) => ({ name, text: zeros }));
  const bombs = [
    gzipSync(await tar(four)),
    zip(four),
    zip([{ name: 'd', text: zeros, declared: 9 }]),
  ];
  for (const bomb of bombs) {
    expect(bomb.length).toBeLessThan(limits.sandboxMountBytesMax / 100);
    await expect(read(bomb)).rejects.toMatchObject({ code: 'SANDBOX_MOUNT_INVALID' });
  }
});

test('too many entries are refused', async () => {
  const many = Array.from({ length: limits.sandboxMountFilesMax + 1 }, (_, index) => ({
    name: `f${index}`,
  }));
  await expect(read(zip(many))).rejects.toMatchObject({
    code: 'SANDBOX_MOUNT_INVALID',
    message: expect.stringContaining(`more than ${limits.sandboxMountFilesMax} entries`),
  });
});

test('what is no archive, or half of one, is refused', async () => {
  const whole = zip([{ name: 'a', text: 'text' }]);
  const tarred = await tar([{ name: 'a', text: 'x'.repeat(5_000) }]);
  const broken = [
    Buffer.from('no archive at all, and long enough to be looked at'.repeat(40)),
    whole.subarray(0, whole.length - 5),
    gzipSync(tarred).subarray(0, 40),
    tarred.subarray(0, 1_500),
    Buffer.from([0x1f, 0x8b, 8, 0, 1, 2, 3]),
  ];
  for (const bytes of broken) {
    await expect(read(bytes)).rejects.toMatchObject({ code: 'SANDBOX_MOUNT_INVALID' });
  }
});
