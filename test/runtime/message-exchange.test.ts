import { describe, expect, test } from 'vitest';
import { hashJson } from '../../src/kernel/hash.ts';
import { actorId, type IntentionKey } from '../../src/kernel/ids.ts';
import type { EventBody } from '../../src/runtime/event-record.ts';
import { MessageExchange, outsideKey } from '../../src/runtime/message-exchange.ts';

const key = 'run:a:1:0' as IntentionKey;
const actor = actorId('run/a');
const place = { sequence: 7, actorSequence: 2 };
const cancel = { type: 'cancel' } as const;
const other = { type: 'cancel', at: 1 } as unknown as typeof cancel;

function body(event: EventBody['event'], cause: string | null): EventBody {
  return { actor, event, cause, number: 3 } as EventBody;
}

describe('a message of a fold', () => {
  test('that is received as it was sent is done with', () => {
    const messages = new MessageExchange();
    messages.send([{ cause: key, event: cancel }]);
    messages.sendFromOutside(actor, 3, cancel);
    expect(messages.sent().size).toBe(2);
    messages.receive(body({ ...cancel }, key), place);
    messages.receive(body({ ...cancel }, null), place);
    expect(messages.received).toEqual([]);
    expect(messages.sent().size).toBe(0);
  });

  test('that is another than was sent, or that nobody here sent, is told with its digest', () => {
    const messages = new MessageExchange();
    messages.send([{ cause: key, event: cancel }]);
    messages.receive(body(other, key), place);
    messages.receive(body(cancel, null), place);
    const common = { ...place, actor, type: 'cancel' };
    expect(messages.received).toEqual([
      { key, digest: hashJson(other), ...common },
      { key: outsideKey(actor, 3), digest: hashJson(cancel), ...common },
    ]);
    expect(messages.sent()).toEqual(new Map([[key, hashJson(cancel)]]));
  });
});
