/**
 * Reads one streamed answer of an endpoint to its end.
 *
 * Invariants
 *   C1. An answer counts only when something said how it ended: the server, a
 *       detector, the end of the JSON value, or the token limit.
 *   C2. Once it has ended, nothing that follows can spoil it; a few more
 *       chunks are read for the usage, then the connection is dropped.
 */
import { RuntimeError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { AnswerRecorder } from './answer-recorder.ts';
import {
  type CompletionChoice,
  type CompletionChunk,
  choiceTokens,
  parseChunk,
  protocolError,
} from './chat-completion.ts';
import { eventStreamData } from './event-stream.ts';
import type { GenerationOutcome } from './model-port.ts';

type Finish = GenerationOutcome['finish'];

/** A model that goes on after its JSON value may do so for this many chunks (C2). */
const lateChunksMax = 16;

interface Progress {
  finish: Finish | null;
  usage: CompletionChunk['usage'];
  lateChunks: number;
}

/**
 * @param onFinish Called once when it is known how the answer ended, although the stream goes on.
 * @throws RuntimeError INFERENCE_PROTOCOL, INFERENCE_REJECTED; what the body throws when it breaks.
 */
export async function readCompletion(
  body: AsyncIterable<Uint8Array>,
  recorder: AnswerRecorder,
  onFinish: () => void,
): Promise<GenerationOutcome> {
  const progress: Progress = { finish: null, usage: null, lateChunks: 0 };
  try {
    for await (const data of eventStreamData(body, limits.endpointAnswerBytesMax)) {
      const before = progress.finish;
      if (data === '[DONE]' || !takeChunk(data, recorder, progress)) break;
      if (before === null && progress.finish !== null) onFinish();
    }
  } catch (error) {
    if (progress.finish === null) throw error; // (C2)
  }
  const { finish, usage } = progress;
  if (finish === null) {
    throw protocolError('its stream ended before the answer did', undefined, true); // (C1)
  }
  return recorder.outcome(finish, usage?.prompt_tokens ?? 0, usage?.completion_tokens);
}

/** @returns whether more chunks are wanted. */
function takeChunk(data: string, recorder: AnswerRecorder, progress: Progress): boolean {
  const chunk = parseChunk(data);
  if (chunk.error !== undefined && chunk.error !== null) {
    throw protocolError('it reported a fault in the middle of its answer', undefined, true);
  }
  progress.usage = chunk.usage ?? progress.usage;
  const [choice] = chunk.choices;
  if (progress.finish !== null) {
    // The model ended its turn exactly at the token limit.
    const ended = choice !== undefined && !choice.delta?.content && finishOf(choice) === 'stop';
    if (progress.finish === 'length' && ended) progress.finish = 'stop';
    progress.lateChunks += 1;
    return progress.lateChunks < lateChunksMax;
  }
  if (choice === undefined) return true;
  progress.finish = pushChoice(recorder, choice) ?? finishOf(choice);
  return progress.finish !== 'halted';
}

/** @returns how the answer ends on this side, or null while it goes on. */
function pushChoice(recorder: AnswerRecorder, choice: CompletionChoice): Finish | null {
  for (const token of choiceTokens(choice)) {
    const finish = recorder.push(token);
    if (finish !== null) return finish;
  }
  return null;
}

function finishOf(choice: CompletionChoice): Finish | null {
  switch (choice.finish_reason ?? null) {
    case null:
      return null;
    case 'stop':
      return 'stop';
    case 'length':
      return 'length';
    case 'content_filter':
      throw new RuntimeError(
        'INFERENCE_REJECTED',
        'The model endpoint withheld its answer by a content filter; change the prompt or the model.',
      );
    default:
      throw protocolError('the reason why its answer ended is unknown');
  }
}
