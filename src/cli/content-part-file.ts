/** An image or a recording that a user names, told apart by what the file begins with. */
import type { ContentPart } from '../inference/model-port.ts';
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import { FileFault, readBounded } from './text-file.ts';

/** Four characters of base64 hold three bytes. */
const bytesMax = Math.floor(limits.messagePartCharactersMax / 4) * 3;

/** What such a file begins with, in hexadecimal. */
const kinds: readonly (readonly [RegExp, (base64: string) => ContentPart])[] = [
  [/^89504e470d0a1a0a/, image('image/png')],
  [/^ffd8ff/, image('image/jpeg')],
  [/^474946383[79]61/, image('image/gif')],
  [/^52494646.{8}57454250/, image('image/webp')],
  [/^52494646.{8}57415645/, audio('wav')],
  [/^(?:494433|ff[ef])/, audio('mp3')],
];

/** Longer than any of these beginnings. */
const beginningBytes = 16;

/** @throws RuntimeError USAGE when it cannot be read, is too large, or is neither */
export function readContentPart(path: string): ContentPart {
  const bytes = bytesOf(path);
  const beginning = bytes.toString('hex', 0, beginningBytes);
  const [, part] = kinds.find(([pattern]) => pattern.test(beginning)) ?? [];
  if (part !== undefined) return part(bytes.toString('base64'));
  throw refused(path, 'is neither PNG, JPEG, GIF or WebP nor WAV or MP3; convert it');
}

function bytesOf(path: string): Buffer {
  try {
    return readBounded(path, bytesMax);
  } catch (cause) {
    throw cause instanceof FileFault ? refused(path, cause.message, cause) : cause;
  }
}

function refused(path: string, why: string, cause?: unknown): RuntimeError {
  return new RuntimeError('USAGE', `The file ${path} ${why}.`, { cause });
}

function image(mediaType: Extract<ContentPart, { type: 'image' }>['mediaType']) {
  return (base64: string): ContentPart => ({ type: 'image', mediaType, base64 });
}

function audio(format: Extract<ContentPart, { type: 'audio' }>['format']) {
  return (base64: string): ContentPart => ({ type: 'audio', format, base64 });
}
