/**
 * Names of the pipe to a sandbox process. They lie beside the protocol's
 * schemas, because the process itself has no use for those and starts faster
 * without them.
 */
import { threadId } from '../bus/thread-id.ts';

/** Topics on the pipe; each goes one way. */
export const jobTopic = 1;
export const answerTopic = 2;
export const callAnswerTopic = 3;

/** The two ends of the pipe. */
export const runtimeEnd = threadId(0);
export const processEnd = threadId(1);
