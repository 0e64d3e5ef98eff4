import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Actor, actorFromJson, actorToJson } from '../../src/actors/actor.ts';
import { actorHash } from '../../src/actors/step.ts';
import { actorId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';
import { SharedTexts } from '../../src/runtime/shared-texts.ts';
import { SnapshotCodec } from '../../src/runtime/snapshot-codec.ts';
import { allOf, runOfSleepers, sleeperId, sleepingAgent } from './sleepers.ts';

const textBytes = 65_536;

function threads(bytes = textBytes): [SnapshotCodec, SnapshotCodec] {
  const memory = new SharedArrayBuffer(bytes);
  const codec = () => new SnapshotCodec(new SharedTexts(memory, 0, bytes));
  return [codec(), codec()];
}

function withContext(actor: Actor, context: JsonObject): Actor {
  const json = actorToJson(actor);
  return actorFromJson({ ...json, state: { ...json.state, context } });
}

describe('what is read equals what was written (C1)', () => {
  test('agents of one run, in another thread, with and without a digest', () => {
    const [writer, reader] = threads();
    for (let number = 0; number < 8; number += 1) {
      const agent = sleepingAgent(number);
      const digest = number % 2 === 0 ? null : Buffer.alloc(32, number);
      const sleeper = { ...agent, previousDigest: digest, begins: number % 3 === 0 };
      const bytes = Buffer.from(writer.encode(sleeper));
      const read = reader.decode(bytes, { run: runOfSleepers, id: sleeperId(number) });
      expect(allOf(read)).toEqual(allOf(sleeper));
      expect(actorHash(read.actor.state)).toBe(actorHash(sleeper.actor.state));
      expect(Object.keys(actorToJson(read.actor).state.context)).toEqual(
        Object.keys(actorToJson(sleeper.actor).state.context),
      );
    }
  });

  test('any context, with any keys and texts, and with texts that fill the memory', () => {
    const [writer, reader] = threads(1_024);
    const { actor } = sleepingAgent(1);
    const ids = ['run/a', 'run/b', 'run'].map(actorId);
    const text = fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('', ...ids, `${runOfSleepers}:run/a:3:1`, runOfSleepers, 'x'.repeat(300)),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        fc.oneof(
          text,
          fc.double({ noNaN: true, noDefaultInfinity: true }),
          fc.integer(),
          fc.maxSafeInteger(),
          fc.boolean(),
          fc.constant(null),
        ),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc.dictionary(fc.oneof(text, fc.constantFrom('name', '__proto__')), tie('tree'), {
          maxKeys: 4,
        }),
      ),
    }));
    fc.assert(
      fc.property(fc.constantFrom(...ids), tree, (id, value) => {
        const changed = { ...withContext(actor, { value } as JsonObject), id };
        const sleeper = { actor: changed, previousDigest: null, begins: false };
        const bytes = Buffer.from(writer.encode(sleeper));
        const read = reader.decode(bytes, { run: runOfSleepers, id });
        expect(allOf(read)).toEqual(allOf(sleeper));
        expect(actorHash(read.actor.state)).toBe(actorHash(changed.state));
      }),
    );
  });

  test('bytes that are cut or too long are not an actor', () => {
    const [codec] = threads();
    const bytes = Buffer.from(codec.encode(sleepingAgent(1)));
    const names = { run: runOfSleepers, id: sleeperId(1) };
    expect(() => codec.decode(bytes.subarray(0, -1), names)).toThrow();
    expect(() => codec.decode(Buffer.concat([bytes, Buffer.from([0])]), names)).toThrow('ends');
    expect(allOf(codec.decode(bytes, names))).toEqual(allOf(sleepingAgent(1)));
  });
});

describe('shared texts (T2)', () => {
  test('what agents have in common is written once, their documents never', () => {
    const memory = new SharedArrayBuffer(textBytes);
    const texts = new SharedTexts(memory, 0, textBytes);
    const codec = new SnapshotCodec(texts);
    const first = codec.encode(sleepingAgent(1)).length;
    const sizes = [2, 3, 4].map((number) => codec.encode(sleepingAgent(number)).length);
    expect(sizes.at(-1)).toBeLessThan(first / 4);
    const used = texts.usedBytes;
    const long = sleepingAgent(5, 'd'.repeat(1_000));
    expect(codec.encode(long).length).toBeGreaterThan(1_000);
    expect(codec.encode(long).length).toBeGreaterThan(1_000);
    expect(texts.usedBytes).toBe(used);
  });

  test('two threads give one number to a text', () => {
    const memory = new SharedArrayBuffer(textBytes);
    const one = new SharedTexts(memory, 0, textBytes);
    const other = new SharedTexts(memory, 0, textBytes);
    const numbers = [one, other].flatMap((texts) => [
      texts.numberOf('common', 'a'),
      texts.numberOf('common', 'a'),
      texts.numberOf('common', 'b'),
    ]);
    expect(numbers[2]).not.toBeNull();
    expect(numbers).toEqual([null, null, numbers[2], null, null, numbers[2]]);
    expect(other.textOf(numbers[2] ?? 0)).toBe('common');
  });
});
