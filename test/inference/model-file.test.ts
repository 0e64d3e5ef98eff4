import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { getLlamaGpuTypes } from 'node-llama-cpp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openModel } from '../../src/inference/open-model.ts';
import { embeddedModelFile, request } from './requests.ts';

let folder: string;
let sound: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'openclaw-model-'));
  sound = await readFile(embeddedModelFile);
});

afterAll(() => rm(folder, { recursive: true }));

async function open(modelFile: string) {
  return openModel({ modelFile, embeddedModelFile, cores: 2 });
}

async function openBytes(bytes: Uint8Array) {
  const file = join(folder, 'model.gguf');
  await writeFile(file, bytes);
  return open(file);
}

function changed(change: (bytes: Buffer) => void): Buffer {
  const bytes = Buffer.from(sound);
  change(bytes);
  return bytes;
}

describe('a model file', () => {
  it('that is pinned to a GPU is worked with there or refused, never on the processor', async () => {
    const file = join(folder, 'pinned.gguf');
    await copyFile(embeddedModelFile, file);
    const pinned = () => openModel({ modelFile: file, embeddedModelFile, cores: 2, device: 'gpu' });
    const onProcessor = await openModel({
      modelFile: file,
      embeddedModelFile,
      cores: 2,
      device: 'cpu',
    });
    expect(onProcessor.info.device).toBe('cpu');
    await onProcessor.close();
    if ((await getLlamaGpuTypes('supported')).some((type) => type !== false)) {
      const model = await pinned();
      expect(model.info.device).toBe('gpu');
      await model.close();
    } else {
      await expect(pinned()).rejects.toMatchObject({ code: 'DEVICE_UNAVAILABLE' });
    }
  });

  it('of the user is loaded and is no demonstration', async () => {
    const file = join(folder, 'own.gguf');
    await copyFile(embeddedModelFile, file);
    const model = await open(file);
    expect(model.info).toMatchObject({ backend: 'llama.cpp', demonstration: false });
    expect((await model.generate(request('Hello!'))).text).toBe('Hello! How can I help you?');
    await model.close();
  });

  it('that does not exist or is a folder is not found', async () => {
    const notFound = expect.objectContaining({ code: 'MODEL_NOT_FOUND' });
    await expect(open(join(folder, 'absent.gguf'))).rejects.toEqual(notFound);
    await expect(open(folder)).rejects.toEqual(notFound);
  });

  it.each<[string, () => Uint8Array]>([
    ['empty', () => new Uint8Array()],
    ['text', () => Buffer.from('{"this": "is no model, but it is long enough"}')],
    ['of an unknown version', () => changed((bytes) => bytes.writeUInt32LE(77, 4))],
    [
      'a header that claims too much',
      () => changed((bytes) => bytes.writeBigUInt64LE(2n ** 60n, 8)),
    ],
    ['cut in its header', () => sound.subarray(0, 5_000)],
    ['cut after its header', () => sound.subarray(0, 100_000)],
    ['cut in its last tensor', () => sound.subarray(0, sound.length - 10_000)],
    ['without an architecture', () => changed((bytes) => bytes.fill(0x78, 24, 60))],
    ['with a vocabulary that ends the process of llama.cpp', () => changed(repeatToken)],
  ])('that is damaged (%s) is invalid, and this process lives', async (_, bytes) => {
    await expect(openBytes(bytes())).rejects.toEqual(
      expect.objectContaining({ code: 'MODEL_INVALID' }),
    );
  });
});

/** Gives the vocabulary the same token twice. */
function repeatToken(bytes: Buffer): void {
  const entry = (text: string) => Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, text.charCodeAt(0)]);
  const at = bytes.indexOf(Buffer.concat([entry('A'), entry('B')]));
  expect(at).toBeGreaterThan(0);
  entry('A').copy(bytes, at + entry('A').length);
}

describe('the choice of a model', () => {
  it('falls on the embedded one when nothing is said', async () => {
    const model = await openModel({ embeddedModelFile, cores: 2 });
    expect(model.info).toMatchObject({ name: 'tiny-agent', demonstration: true });
    await model.close();
  });

  it('is refused when two are named', async () => {
    const both = openModel({
      modelFile: 'a.gguf',
      baseUrl: 'http://127.0.0.1/v1',
      embeddedModelFile,
      cores: 2,
    });
    await expect(both).rejects.toEqual(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });
});
