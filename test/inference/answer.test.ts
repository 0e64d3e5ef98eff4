import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AnswerRecorder } from '../../src/inference/answer-recorder.ts';
import { JsonEndScanner } from '../../src/inference/json-end.ts';
import type { GeneratedToken } from '../../src/inference/model-port.ts';
import { TokenTextDecoder } from '../../src/inference/token-text.ts';
import { request } from './requests.ts';

/** Cuts a text into pieces at the given places. */
function pieces(text: string, cuts: readonly number[]): string[] {
  const places = [...cuts.map((cut) => cut % (text.length + 1)), 0, text.length];
  const sorted = [...new Set(places)].sort((left, right) => left - right);
  return sorted.slice(1).map((end, index) => text.slice(sorted[index], end));
}

function endOf(text: string, cuts: readonly number[]): number {
  const scanner = new JsonEndScanner();
  let read = 0;
  for (const piece of pieces(text, cuts)) {
    const end = scanner.push(piece);
    if (end >= 0) return read + end;
    read += piece.length;
  }
  return -1;
}

describe('the end of a JSON value', () => {
  it('is found wherever the text is cut, whatever follows', () => {
    const cuts = fc.array(fc.nat(), { maxLength: 20 });
    const tail = fc.constantFrom('', '\n', '\n\n\n\n', ' {"more": 1}', ']');
    fc.assert(
      fc.property(fc.json(), cuts, tail, fc.boolean(), (json, places, after, spaced) => {
        const open = /^[[{"]/.test(json);
        const text = spaced ? ` \n${json}` : json;
        const rest = open ? after : `\n${after}`;
        expect(endOf(text + rest, places)).toBe(text.length);
      }),
    );
  });

  it('is not found while the value is open', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = JSON.stringify([value]);
        expect(endOf(text.slice(0, -1), [3, 7])).toBe(-1);
      }),
    );
  });
});

describe('texts of tokens', () => {
  it('join to the whole text, whole characters at a time, though tokens are single bytes', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        const decoder = new TokenTextDecoder<number>((bytes) =>
          Buffer.from(bytes).toString('utf8'),
        );
        const parts = [...Buffer.from(text)].map((byte) => decoder.push(byte));
        expect(parts.join('')).toBe(text);
        expect(parts.every((part) => part.isWellFormed())).toBe(true);
      }),
    );
  });

  it('do not wait for ever for bytes that never become a character', () => {
    const decoder = new TokenTextDecoder<number>((bytes) => Buffer.from(bytes).toString('utf8'));
    const parts = [0xf0, 0x9f, 0x98, 0x41, 0x42].map((byte) => decoder.push(byte));
    expect(parts.join('')).toBe('\uFFFDAB');
  });
});

describe('the record of an answer', () => {
  const token = (text: string, confidence: number | null = 1, forced = false): GeneratedToken => ({
    text,
    confidence,
    forced,
    entropy: null,
    margin: null,
  });

  it('cuts the last token where the JSON value ends', () => {
    const heard: string[] = [];
    const recorder = new AnswerRecorder(request('', { schema: { type: 'object' } }), (each) =>
      heard.push(each.text),
    );
    expect(recorder.push(token('{"a": '))).toBeNull();
    expect(recorder.push(token('1}\n\n'))).toBe('schema');
    const outcome = recorder.outcome('schema', 7);
    expect(outcome.text).toBe('{"a": 1}');
    expect(outcome.tokens.map(({ text }) => text)).toEqual(['{"a": ', '1}']);
    expect(heard).toEqual(['{"a": ', '1}']);
    expect(outcome.usage).toEqual({ promptTokens: 7, answerTokens: 2 });
  });

  it('ends at the token limit', () => {
    const recorder = new AnswerRecorder(request('', { maxTokens: 2 }));
    expect(recorder.push(token('a'))).toBeNull();
    expect(recorder.push(token('b'))).toBe('length');
  });

  it('takes the minimum over free tokens', () => {
    const recorder = new AnswerRecorder(request(''));
    recorder.push(token('a', 1, true));
    recorder.push(token('b', 0.7));
    recorder.push(token('c', null));
    expect(recorder.outcome('stop', 0).minConfidence).toBe(0.7);
  });

  it('has no minimum when no confidence was told', () => {
    const recorder = new AnswerRecorder(request(''));
    recorder.push(token('a', null));
    expect(recorder.outcome('stop', 0).minConfidence).toBeNull();
  });

  it('removes a spelled-out end of turn from the text and from its tokens', () => {
    const recorder = new AnswerRecorder(request(''));
    for (const text of ['Leeds', '<|im', '_end', '|>x']) recorder.push(token(text));
    expect(recorder.cutAt('<|im_end|>')).toBe(true);
    const outcome = recorder.outcome('stop', 0);
    expect(outcome.text).toBe('Leeds');
    expect(outcome.tokens.map(({ text }) => text)).toEqual(['Leeds', '', '', '']);
    expect(recorder.cutAt('<|im_end|>')).toBe(false);
  });
});
