/** Runs whole pipelines over the pure machines, with a scripted world in place of threads and actuators. */
import { describe, expect, it } from 'vitest';
import { type Actor, applyEvent, type Envelope, newActor } from '../../src/actors/actor.ts';
import type { FinishIntention } from '../../src/actors/intention.ts';
import type { Outcome } from '../../src/actors/outcome.ts';
import { pipelineDefinitionSchema } from '../../src/actors/pipeline-definition.ts';
import { isDone } from '../../src/actors/step.ts';
import { canonicalJson, sha256 } from '../../src/kernel/hash.ts';
import { actorId, newRunId } from '../../src/kernel/ids.ts';
import type { JsonObject } from '../../src/kernel/json.ts';

interface World {
  /** Answers an external intention; null leaves it open. */
  readonly act: (operation: string, args: JsonObject, actor: string) => Outcome | null;
}

interface Played {
  readonly finish: FinishIntention | null;
  readonly actors: ReadonlyMap<string, Actor>;
  readonly acts: readonly { actor: string; operation: string; args: JsonObject }[];
  readonly events: readonly { actor: string; type: string }[];
}

/** A tiny scheduler: first in, first out, until nothing is left. */
function play(
  definition: unknown,
  texts: readonly string[],
  world: World,
  interrupt?: (played: Played) => Envelope | null,
): Played {
  const run = newRunId();
  const blobs = new Map(texts.map((text) => [sha256(text) as string, text]));
  const actors = new Map<string, Actor>();
  const acts: { actor: string; operation: string; args: JsonObject }[] = [];
  const events: { actor: string; type: string }[] = [];
  let finish: FinishIntention | null = null;
  const queue: Envelope[] = [
    {
      run,
      to: actorId('run'),
      from: '@runtime',
      number: 1,
      cause: null,
      machine: 'pipeline',
      event: {
        type: 'start',
        machine: 'pipeline',
        scope: 'run',
        self: actorId('run'),
        definition: canonicalJson(pipelineDefinitionSchema.parse(definition)),
        seed: 7,
        documents: texts.map((text, index) => ({
          name: `m${index}.txt`,
          sha256: sha256(text),
          part: null,
        })),
      },
    },
  ];
  let at = 1_000;
  while (queue.length > 0) {
    const envelope = queue.shift() as Envelope;
    const known = actors.get(envelope.to);
    if (known === undefined && envelope.machine === null)
      throw new Error(`nobody is ${envelope.to}`);
    if (known !== undefined && isDone(known.state)) continue;
    const actor = known ?? newActor(run, envelope.to, envelope.machine ?? 'agent');
    at += 1;
    if (envelope.event.type === 'document-done')
      blobs.set(sha256(envelope.event.item), envelope.event.item);
    const effects = applyEvent(actor, envelope, at);
    actors.set(envelope.to, effects.actor);
    events.push({ actor: envelope.to, type: envelope.event.type });
    finish ??= effects.finish;
    queue.push(...effects.sends);
    for (const { intention, key } of effects.acts) {
      const operation = `${intention.actuator}.${intention.operation}`;
      acts.push({ actor: envelope.to, operation, args: intention.arguments });
      let outcome = world.act(operation, intention.arguments, envelope.to);
      if (operation === 'blobs.read') {
        const hashes = intention.arguments.hashes as string[];
        outcome = {
          status: 'completed',
          value: { texts: Object.fromEntries(hashes.map((hash) => [hash, blobs.get(hash) ?? ''])) },
        };
      }
      if (outcome === null) continue;
      const event = { type: 'outcome', tag: intention.tag, outcome } as const;
      queue.push({
        run,
        to: envelope.to,
        from: '@actuator',
        number: 0,
        cause: key,
        event,
        machine: null,
      });
    }
    for (const { intention, key } of effects.aborts) {
      const outcome: Outcome = {
        status: 'failed',
        error: { code: 'INTENTION_ABORTED', message: 'stopped' },
      };
      const event = { type: 'outcome', tag: intention.tag, outcome } as const;
      queue.push({
        run,
        to: envelope.to,
        from: '@actuator',
        number: 0,
        cause: key,
        event,
        machine: null,
      });
    }
    const more = interrupt?.({ finish, actors, acts, events });
    if (more) queue.push({ ...more, run });
  }
  return { finish, actors, acts, events };
}

function generated(text: string, minConfidence = 0.9): Outcome {
  return {
    status: 'completed',
    value: {
      status: 'completed',
      text,
      finish: 'stop',
      tokens: [],
      minConfidence,
      halt: null,
      usage: { promptTokens: 1, answerTokens: 1 },
    },
  };
}

function halted(evidence: string): Outcome {
  return {
    status: 'completed',
    value: {
      status: 'halted',
      text: '',
      finish: 'halted',
      tokens: [],
      minConfidence: 0.1,
      halt: { detector: 'confidence', atToken: 0, evidence },
      usage: { promptTokens: 1, answerTokens: 1 },
    },
  };
}

const written: Outcome = {
  status: 'completed',
  value: { path: 'report.md', bytes: 1, sha256: 'x' },
};

const simple = {
  name: 'demo',
  agents: { echo: { prompt: '{{document.text}}' } },
  steps: [{ id: 'echo', agent: 'echo', map: 'documents' }],
};

describe('a pipeline over the pure machines', () => {
  it('asks once for each document and succeeds', () => {
    const played = play(simple, ['one', 'two'], {
      act: (_, args) => generated(`said ${JSON.stringify(args.messages)}`),
    });
    expect(played.finish).toMatchObject({
      status: 'succeeded',
      outputs: { documents: { total: 2, handedToHuman: 0 } },
    });
    const asked = played.acts.filter(({ operation }) => operation === 'inference.generate');
    expect(asked.map(({ args }) => args.messages)).toEqual([
      [{ role: 'user', content: 'one' }],
      [{ role: 'user', content: 'two' }],
    ]);
  });

  it('starts a step only after what it needs', () => {
    const definition = {
      ...simple,
      agents: { ...simple.agents, second: { prompt: 'after {{steps.echo.output}}' } },
      steps: [
        { id: 'second', agent: 'second', map: 'documents', needs: ['echo'] },
        ...simple.steps,
      ],
    };
    const played = play(definition, ['one'], { act: () => generated('heard') });
    const prompts = played.acts
      .filter(({ operation }) => operation === 'inference.generate')
      .map(({ args }) => (args.messages as { content: string }[])[0]?.content);
    expect(prompts).toEqual(['one', 'after heard']);
  });

  it('asks again with grounding after a halt, then hands over to a human', () => {
    const definition = {
      ...simple,
      agents: {
        echo: {
          prompt: 'Where is it?',
          supervise: {
            minConfidence: 0.5,
            retries: 2,
            grounding: 'Facts: {{facts}}',
            temperatures: [0.3],
          },
        },
      },
      recovery: { write: { path: 'human/{{document.name}}', template: '{{step}}: {{reasons}}' } },
    };
    const played = play(definition, ['The key is in Bonn.'], {
      act: (operation) => (operation === 'file.write' ? written : halted('unsure at token 0')),
    });
    const asked = played.acts.filter(({ operation }) => operation === 'inference.generate');
    expect(asked).toHaveLength(3);
    expect(asked[1]?.args).toMatchObject({ temperature: 0.3, seed: 8 });
    expect(JSON.stringify(asked[1]?.args.messages)).toContain('Facts: The key is in Bonn.');
    const files = played.acts.filter(({ operation }) => operation === 'file.write');
    expect(files.map(({ args }) => args.path)).toEqual(['human/m0.txt']);
    expect(played.finish).toMatchObject({
      status: 'succeeded',
      outputs: { documents: { handedToHuman: 1 } },
    });
  });

  it('restarts an agent after a technical failure, with a pause by the clock, up to the limit', () => {
    const failure: Outcome = {
      status: 'failed',
      error: { code: 'INFERENCE_UNAVAILABLE', message: 'down', retryable: true },
    };
    const definition = {
      ...simple,
      steps: [
        {
          id: 'echo',
          agent: 'echo',
          map: 'documents',
          retry: { maxAttempts: 3, backoffMs: 100, factor: 2 },
        },
      ],
    };
    const waits: number[] = [];
    const played = play(definition, ['one'], {
      act: (operation, args) => {
        if (operation !== 'clock.wake') return failure;
        waits.push(Number(args.at));
        return { status: 'completed', value: { at: Number(args.at) } };
      },
    });
    expect(played.acts.filter(({ operation }) => operation === 'inference.generate')).toHaveLength(
      3,
    );
    expect(waits).toHaveLength(2);
    expect(played.finish).toMatchObject({ outputs: { documents: { handedToHuman: 1 } } });
    const agents = [...played.actors.keys()].filter((id) => id.includes('supervisor/'));
    expect(agents).toEqual([
      'run/document-1/supervisor/echo',
      'run/document-1/supervisor/echo.2',
      'run/document-1/supervisor/echo.3',
    ]);
  });

  it('does not restart after a failure that would only repeat', () => {
    const failure: Outcome = {
      status: 'failed',
      error: { code: 'CONTEXT_TOO_LONG', message: 'long', retryable: false },
    };
    const played = play(simple, ['one'], { act: () => failure });
    expect(played.acts.filter(({ operation }) => operation === 'inference.generate')).toHaveLength(
      1,
    );
  });

  it('fails the run, with the code, when a technical failure kept every document from any result', () => {
    const failure: Outcome = {
      status: 'failed',
      error: { code: 'INFERENCE_REJECTED', message: 'no such model', retryable: false },
    };
    const all = play(simple, ['one', 'two'], { act: () => failure });
    expect(all.finish).toMatchObject({
      status: 'failed',
      error: { code: 'INFERENCE_REJECTED', message: expect.stringContaining('no such model') },
    });
    for (const failing of ['one', 'two']) {
      const some = play(simple, ['one', 'two'], {
        act: (_, args) => (JSON.stringify(args).includes(failing) ? failure : generated('fine')),
      });
      expect(some.finish).toMatchObject({ status: 'succeeded' });
    }
  });

  it('skips what needs a step that was given up, unless it always runs', () => {
    const definition = {
      name: 'demo',
      agents: { bad: { prompt: 'bad', supervise: { retries: 0 } }, good: { prompt: 'good' } },
      steps: [
        { id: 'bad', agent: 'bad', map: 'documents' },
        { id: 'skipped', agent: 'good', map: 'documents', needs: ['bad'] },
        { id: 'always', agent: 'good', map: 'documents', needs: ['bad'], when: 'always' },
      ],
    };
    const played = play(definition, ['one'], {
      act: (_, args) => (JSON.stringify(args).includes('bad') ? halted('no') : generated('yes')),
    });
    const agents = [...played.actors.keys()].filter((id) => id.includes('supervisor/'));
    expect(agents).toEqual(['run/document-1/supervisor/bad', 'run/document-1/supervisor/always']);
  });

  it('calls a granted tool and refuses another', () => {
    const definition = (tool: string) => ({
      name: 'demo',
      agents: {
        plan: {
          prompt: '{{document.text}}',
          output: { type: 'object' },
          tools: ['calc'],
        },
      },
      tools: {
        calc: {
          actuator: 'sandbox',
          operation: 'run',
          parameters: ['a', 'b'],
          arguments: { source: '{{a}}+{{b}}' },
        },
      },
      steps: [{ id: 'plan', agent: 'plan', map: 'documents' }],
      reportOf: tool,
    });
    const call = (tool: string) => {
      const { reportOf, ...rest } = definition(tool);
      return play(rest, ['one'], {
        act: (operation) =>
          operation === 'sandbox.run'
            ? { status: 'completed', value: 3 }
            : generated(JSON.stringify({ tool: reportOf, args: { a: 1, b: 2 } })),
      });
    };
    const granted = call('calc');
    expect(granted.acts.find(({ operation }) => operation === 'sandbox.run')?.args).toMatchObject({
      source: '1+2',
    });
    expect(granted.finish).toMatchObject({ outputs: { documents: { handedToHuman: 0 } } });
    const refused = call('shell');
    expect(refused.acts.some(({ operation }) => operation === 'sandbox.run')).toBe(false);
    expect(refused.finish).toMatchObject({ outputs: { documents: { handedToHuman: 1 } } });
  });

  it('gives a step over all documents their items in the order of the documents', () => {
    const definition = {
      ...simple,
      steps: [
        ...simple.steps,
        {
          id: 'report',
          needs: ['echo'],
          write: {
            path: 'report.md',
            template: '{{#items}}{{document.name}}={{steps.echo.output}};{{/items}}',
          },
        },
      ],
      report: 'report.md',
    };
    const played = play(definition, ['one', 'two'], {
      act: (operation, args) =>
        operation === 'file.write'
          ? written
          : generated(JSON.stringify(args).includes('one') ? 'A' : 'B'.repeat(300)),
    });
    const file = played.acts.find(({ operation }) => operation === 'file.write');
    expect(file?.args).toEqual({ path: 'report.md', text: `m0.txt=A;m1.txt=${'B'.repeat(300)};` });
    expect(played.finish).toMatchObject({ status: 'succeeded', outputs: { report: 'report.md' } });
  });

  it('fails the run when a step over all documents is given up', () => {
    const definition = {
      name: 'demo',
      agents: { one: { prompt: 'x', supervise: { retries: 0 } } },
      steps: [{ id: 'all', agent: 'one' }],
    };
    const played = play(definition, ['one'], { act: () => halted('no') });
    expect(played.finish).toMatchObject({ status: 'failed', error: { code: 'RUN_FAILED' } });
  });

  it('cancels open intentions and ends as cancelled', () => {
    let sent = false;
    const played = play(simple, ['one', 'two'], { act: () => null }, ({ acts }) => {
      const asked = acts.filter(({ operation }) => operation === 'inference.generate').length;
      if (asked < 2 || sent) return null;
      sent = true;
      return {
        run: newRunId(),
        to: actorId('run'),
        from: '@runtime',
        number: 2,
        cause: null,
        event: { type: 'cancel' },
        machine: null,
      };
    });
    expect(sent).toBe(true);
    expect(played.finish).toMatchObject({ status: 'cancelled' });
  });

  it('has the same result hash for the same answers, whatever their confidence', () => {
    const first = play(simple, ['one', 'two'], { act: () => generated('same', 0.9) });
    const second = play(simple, ['one', 'two'], { act: () => generated('same', 0.8) });
    const third = play(simple, ['one', 'two'], { act: () => generated('other', 0.9) });
    expect(first.finish?.resultHash).toBe(second.finish?.resultHash);
    expect(first.finish?.resultHash).not.toBe(third.finish?.resultHash);
  });

  it('folds its own events again to the same hash at every step', () => {
    const world: World = { act: () => generated('same') };
    const first = play(simple, ['one'], world);
    const second = play(simple, ['one'], world);
    expect(second.events).toEqual(first.events);
    expect(first.events.length).toBeGreaterThan(8);
  });
});
