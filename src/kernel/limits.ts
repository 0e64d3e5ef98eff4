/**
 * Every named bound of the system, in one place (law D8). A bound that is
 * reached is a refusal with a code, never loss and never growth.
 */
import { assert } from './assert.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  /** Data capacity of a thread's inbox ring. A power of two. */
  inboxRingBytes: 8 * MiB,
  /** Data capacity of the journal worker's ring. A power of two. */
  journalRingBytes: 16 * MiB,
  /** Largest message is the ring's capacity divided by this. */
  ringMessageFraction: 8,
  /** Frames drained from an inbox before the thread looks at its other work. */
  drainFramesMax: 256,
  /** Longest sleep of a worker that waits for its inbox. */
  idleWaitMsMax: 100,

  /** Size of one journal segment file, preallocated and zeroed. */
  segmentBytes: 16 * MiB,
  /** Most bytes written between two fdatasync calls. */
  commitGroupBytes: 4 * MiB,
  /** Largest record, header and body. */
  recordBytesMax: 1 * MiB,
  /** Blobs up to this size are records; larger ones are files. */
  blobRecordBytesMax: 64 * KiB,
  /** Strings from this length on are stored as blobs, not inside their record. */
  inlineTextCharactersMax: 256,

  /** Largest document accepted as input. */
  documentBytesMax: 256 * KiB,
  /** Most documents of one run. */
  documentsMax: 2_000,
  /** Largest pipeline file. */
  pipelineBytesMax: 256 * KiB,
  /** Most steps of one pipeline. */
  pipelineStepsMax: 64,
  /** Most agents of one pipeline. */
  pipelineAgentsMax: 64,

  /** Most intentions one step of an actor may emit. */
  intentionsPerStepMax: 4_096,
  /** Largest canonical state of one actor. */
  actorStateBytesMax: 512 * KiB,
  /** Actors kept live in a host before the idle ones hibernate. */
  liveActorsPerHostMax: 2_000,
  /** An actor without mail for this long hibernates. */
  actorIdleMsMax: 2_000,
  /** Records of one actor between two snapshots. */
  recordsPerSnapshot: 64,
  /** Slots of the shared actor directory: most actors alive at once. A power of two. */
  directorySlots: 65_536,
  /** Host workers at most. */
  hostsMax: 32,
  /** Runs in progress at once. */
  openRunsMax: 64,

  /** Tokens of one answer unless an agent says less. */
  answerTokensMax: 1_024,
  /** Time of one generation unless an agent says less. */
  generationMsMax: 120_000,

  /** Script size, result size and console output of one sandbox execution. */
  sandboxScriptBytesMax: 256 * KiB,
  sandboxResultBytesMax: 256 * KiB,
  sandboxConsoleBytesMax: 64 * KiB,
  /** Defaults and ceilings of one sandbox execution. */
  sandboxTimeoutMsDefault: 5_000,
  sandboxTimeoutMsMax: 60_000,
  sandboxMemoryMbDefault: 64,
  sandboxMemoryMbMax: 512,
  /** Warm sandbox processes that wait for work. */
  sandboxPoolSize: 2,

  /** Requests that wait in one actuator. */
  actuatorQueueMax: 4_096,
  /** Largest file that the file actuator reads or writes. */
  workspaceFileBytesMax: 1 * MiB,

  /** Body of one API request. */
  requestBodyBytesMax: 1 * MiB,
  /** Events answered by one API call. */
  eventsPageMax: 1_000,
  /** Bytes buffered for one slow WebSocket client before it is closed. */
  socketBufferBytesMax: 8 * MiB,
  /** Time that a stop may take before the process ends anyway. */
  shutdownMsMax: 10_000,
} as const;

assert(
  limits.recordBytesMax <= limits.journalRingBytes / limits.ringMessageFraction,
  'a record fits into the journal ring',
);
assert(
  limits.blobRecordBytesMax < limits.recordBytesMax && limits.recordBytesMax < limits.segmentBytes,
  'a blob fits into a record, a record into a segment',
);
assert(
  limits.documentBytesMax * 2 < limits.inboxRingBytes / limits.ringMessageFraction,
  'a document fits into a frame even where UTF-8 doubles its size',
);
