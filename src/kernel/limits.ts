/**
 * Every named bound of the system, in one place (law D8). A bound that is
 * reached is a refusal with a code, never loss and never growth.
 */
import { assert } from './assert.ts';
import { clearanceLimits } from './clearance-limits.ts';
import { doorLimits } from './door-limits.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

export const limits = {
  ...clearanceLimits,
  /** Data capacity of a thread's inbox ring. A power of two. */
  inboxRingBytes: 16 * MiB,
  /** Data capacity of the journal worker's ring. A power of two. */
  journalRingBytes: 16 * MiB,
  /** Largest message is the ring's capacity divided by this. */
  ringMessageFraction: 8,
  /** Slots of 64 bytes that a producer claims at once in a batch, at most. */
  ringRunSlots: 64,
  /** Frames drained from an inbox before the thread looks at its other work. */
  drainFramesMax: 256,
  /** And the time that such a slice may take; a single handler may take longer. */
  drainSliceMsMax: 4,
  /** How long an event loop looks for mail by itself before it asks for a doorbell, after mail or a question. */
  listenSpinUsMax: 50,
  /** Frames and bytes that may wait in a thread's outbox. */
  outboxFramesMax: 65_536,
  outboxBytesMax: 64 * MiB,
  /** Time between two tries to publish what waits in an outbox. */
  outboxRetryMs: 1,
  /** Nesting of a value in a message body. */
  valueDepthMax: 256,
  /** Longest encoded value: what the largest ring takes. */
  valueBytesMax: 128 * MiB,
  /** The encoder gives memory above this back after use. */
  valueScratchBytesMax: 4 * MiB,
  /** Keys of objects that an encoder remembers, over all shapes. */
  recordShapeKeysMax: 16_384,
  /** Topics of one bus, numbered from 0. */
  busTopicsMax: 256,
  /** Time between two looks at the counters of the bus. */
  busSampleMs: 1_000,
  /** Requests of one thread that wait for their replies. */
  busRequestsMax: 16_384,
  /** Longest deadline of a request: what a timer of Node.js can wait. */
  requestDeadlineMsMax: 2 ** 31 - 1,
  /** First bytes of a refused frame that its dead letter shows. */
  deadLetterBytesMax: 64,
  /** Dead letters that are kept to be looked at. */
  deadLettersKeptMax: 256,
  /** Interval at which a bus looks whether what an ended thread left is settled. */
  endedThreadSweepMs: 50,
  /** Threads on one bus. */
  busThreadsMax: 64,
  /**
   * Slabs of the arena for large payloads, smallest first. Memory is committed
   * where it is touched, so slabs that nobody ever used cost address space only.
   */
  arenaClasses: [
    { slabBytes: 4 * KiB, slabs: 1_024 },
    { slabBytes: 16 * KiB, slabs: 512 },
    { slabBytes: 64 * KiB, slabs: 512 },
    { slabBytes: 256 * KiB, slabs: 256 },
    { slabBytes: 1 * MiB, slabs: 128 },
    { slabBytes: 4 * MiB, slabs: 64 },
    { slabBytes: 16 * MiB, slabs: 16 },
    { slabBytes: 64 * MiB, slabs: 4 },
    { slabBytes: 512 * MiB, slabs: 1 },
  ],
  /** Leases of one slab at once: how many receivers may share its payload. */
  arenaLeasesPerSlab: 64,
  /** A payload whose own class is full takes a slab at most this many classes larger. */
  arenaClassesAbove: 2,
  /** Slabs that are tried before a class takes one that was never used. */
  arenaProbesMax: 64,
  /** Dimensions of a tensor. */
  tensorRankMax: 5,
  /** Longest sleep of a worker that waits for its inbox. */
  idleWaitMsMax: 100,

  /** Size of one journal segment file, preallocated and zeroed. */
  segmentBytes: 16 * MiB,
  /** Most bytes written between two fdatasync calls. */
  commitGroupBytes: 4 * MiB,
  /** From so many bytes a group on, on average, a burst of groups gets segments without zeros. */
  burstGroupBytes: 2 * MiB,
  /** Largest record, header and body. */
  recordBytesMax: 1 * MiB,
  /** Blobs up to this size are records; larger ones are files. */
  blobRecordBytesMax: 64 * KiB,
  /** Largest content that a blob record is decompressed to; only in an archive it exceeds `blobRecordBytesMax`. */
  recordTextBytesMax: 4 * MiB,
  /** Largest content that a blob file is decompressed to. */
  blobFileBytesMax: 512 * MiB,
  /** Largest record of what was dropped from the beginning of a journal; about 1 KiB a run. */
  compactionsBytesMax: 256 * MiB,
  /** Different texts that a redacted export replaces. */
  redactionsMax: 100_000,
  /** Patterns, and fields, of a file of redaction rules. */
  redactionRulesMax: 100,
  /** Largest such file. */
  redactionRulesBytesMax: 256 * KiB,
  /** Largest file of labels of past answers. */
  labelsBytesMax: 4 * MiB,
  /** Largest file that a run is exported to. */
  archiveBytesMax: 512 * MiB,
  /** In the relaxed mode the disk has what is older than this. */
  relaxedSyncMsMax: 1_000,
  /** Longest wait of a producer for room in the journal ring before the journal counts as failed. */
  journalStallMsMax: 60_000,
  /** Longest wait for the lock of a data directory while nobody alive says that it owns it. */
  lockWaitMsMax: 500,
  /** Strings from this length on are stored as blobs, not inside their record. */
  inlineTextCharactersMax: 256,

  /** Largest document accepted as input. */
  documentBytesMax: 256 * KiB,
  /** Largest file that is split into documents. */
  splitDocumentBytesMax: 4 * MiB,
  /** Most documents of one run, parts of files counted. */
  documentsMax: 500,
  /** Largest pipeline file. */
  pipelineBytesMax: 256 * KiB,
  /** Most steps of one pipeline. */
  pipelineStepsMax: 64,
  /** Most agents of one pipeline. */
  pipelineAgentsMax: 64,
  /** YAML aliases of one pipeline file that may be resolved, nested ones multiplied. */
  pipelineAliasesMax: 100,
  /** Sections inside sections of one template. */
  templateNestingMax: 16,
  /** Parsed templates that a thread keeps. */
  compiledTemplatesMax: 256,
  /** All documents of one run together. */
  inputBytesMax: 64 * MiB,
  /** Documents that one task of the pool reads. */
  documentsPerTask: 16,
  /** Threads of the pool for stateless CPU work. */
  poolThreadsMax: 4,
  /** Tasks that wait for a thread of the pool. */
  poolQueueMax: 1_024,
  /** A pool thread without work ends after this long. */
  poolIdleMsMax: 5_000,

  /** Eventless transitions that one step of a machine may take before it rests. */
  microstepsMax: 10_000,
  /** Most intentions one step of an actor may emit. */
  intentionsPerStepMax: 1_024,
  /** Items of documents that a pipeline reads back with one intention. */
  itemsPerReadMax: 64,
  /** And their size together; a single larger item is read alone. */
  itemBytesPerReadMax: 512 * KiB,
  /** Messages that wait for one actor. */
  mailboxMax: 4_096,
  /** Actors kept live in a host before the idle ones hibernate. */
  liveActorsPerHostMax: 2_000,
  /** An actor without mail for this long hibernates. */
  actorIdleMsMax: 2_000,
  /** Records of one actor between two snapshots. */
  recordsPerSnapshot: 64,
  /** Events of a run between two snapshots of it, and bytes of their bodies: whichever comes first. */
  eventsPerRunSnapshot: 4_096,
  bytesPerRunSnapshot: 16 * MiB,
  /** Events for each living actor of the run, at least, so that a snapshot costs an event little. */
  eventsPerSnapshotActor: 4,
  /** One of so many snapshots is audited. */
  snapshotsPerAudit: 4,
  /** An audit waits for a journal without events for this long, and at most so long for that. */
  auditQuietMs: 2_000,
  auditDelayMsMax: 60_000,
  /** The thread that takes snapshots ends after this long without work. */
  snapshotIdleMsMax: 60_000,
  /** Slots of the shared actor directory, half of which actors may take: a million. A power of two. */
  directorySlots: 2 ** 21,
  /** Shared memory for snapshots of hibernated actors; what finds no room is in the journal alone. */
  snapshotGridBytes: 256 * MiB,
  /** Templates that such snapshots have in common, at once. */
  snapshotTemplates: 1_024,
  /** Leaves of a state that has a template. */
  templateLeavesMax: 512,
  /** Shapes of states of which a host remembers the last one, to find what two have in common. */
  templateSamplesMax: 256,
  /** Host workers at most. */
  hostsMax: 32,
  /** Largest seed of a run. */
  runSeedMax: 2 ** 31 - 1,
  /** Hosts that may die at the same event before its run is suspended. */
  deathsPerEventMax: 3,
  /** Deaths of hosts within the window below before the runtime stops. */
  hostRestartsMax: 10,
  hostRestartWindowMs: 10_000,
  /** Heap of a host's thread, in MiB; a host that needs more dies alone. */
  hostHeapMiBMax: 2_048,
  /** Runs in progress at once. */
  openRunsMax: 64,
  /** Keys of runs that a thread keeps in memory. */
  runKeysCachedMax: 256,
  /** How long `claw resolve` waits for a run that has just been started to be in doubt, ms. */
  resolveWaitMsMax: 5_000,
  /** How long the termination of a host waits for what it does in one piece, ms. */
  hostShutMsMax: 2_000,
  /** Forks of one `claw grid`. */
  gridForksMax: 256,

  /** Tokens of one answer unless an agent says less. */
  answerTokensMax: 1_024,
  /** Time of one generation unless an agent says less. */
  generationMsMax: 120_000,
  /** Longest wait for an answer: a full queue of the inference worker, each turn as long as it may be. */
  generationReplyMsMax: 4_096 * 120_000,
  /** Messages of one prompt. */
  chatMessagesMax: 1_024,
  /** Images and recordings of one message. */
  messagePartsMax: 8,
  /** Characters of one of them, in base64. */
  messagePartCharactersMax: 1 * MiB,
  /** And of all of one message: with its text it goes over the bus in one piece. */
  messagePartsCharactersMax: 1.875 * MiB,
  /** Generations of one conversation of an agent, retries not counted. */
  agentTurnsMax: 256,
  /** Items of one node of a context: what a turn adds, or all that a shortened one keeps. */
  contextItemsMax: 1_024,
  /** Objectives that one agent has pinned. */
  pinsPerAgentMax: 16,
  /** Characters of one of them, its template. */
  pinCharactersMax: 2_000,
  /** Rules of one agent for its supervisor. */
  rulesPerAgentMax: 16,
  /** Characters of the prompt that a person gives a paused agent. */
  releasePromptCharactersMax: 16_384,
  /** How often a supervisor uses one rule in one step, at most. */
  interventionsPerRuleMax: 8,
  /** Results that one question of a reduction merges. */
  reduceAtOnceMax: 64,
  /** Levels of a reduction, each of which at least halves most of what is left. */
  reduceLevelsMax: 16,
  /** Further answers that vote on one. */
  voteSamplesMax: 16,
  /** Agents that argue about one answer, and their rounds. */
  debateOpponentsMax: 4,
  debateRoundsMax: 8,
  /** Characters of an answer or a critique that a reason quotes. */
  quotedCharactersMax: 240,
  /** Lines of evidence that a step's result keeps of its panels. */
  evidenceLinesMax: 32,
  /** Characters of one prompt that is put together from a context: more than models read. */
  contextCharactersMax: 16 * MiB,
  /** Texts of contexts that the inference worker remembers. */
  contextCacheBytesMax: 64 * MiB,
  /** Contexts that one model holds at once, and how many without a setting. */
  sequencesMax: 16,
  sequencesDefault: 4,
  /** Times that an answer is taken back and sampled again. */
  correctionsMax: 8,
  /** Bytes of the states of sequences that were offloaded to files, and how many there are. */
  stateFilesBytesMax: 4 * 1024 * MiB,
  stateFilesMax: 256,
  /** Deaths of the process of a model within the window below before it is given up. */
  modelRestartsMax: 5,
  modelRestartWindowMs: 60_000,
  /** Pause before its first restart; each further death within the window doubles it. */
  modelRestartPauseMs: 100,
  /** Time in which such a process frees its model before it is killed: less than a step of a stop. */
  modelCloseMsMax: 1_500,
  /** Context window of a model with which it begins, and to which it grows, in tokens, without a setting; and the largest that can be set. */
  contextTokensStart: 4_096,
  contextTokensDefault: 8_192,
  contextTokensMax: 131_072,
  /** Larger model files are not hashed at start. */
  modelHashBytesMax: 8 * 1024 * MiB,
  /** Nesting of a JSON Schema that becomes a grammar. */
  schemaDepthMax: 24,
  /** Size of a JSON Schema that becomes a grammar. */
  schemaBytesMax: 64 * KiB,
  /** Largest minItems, maxItems, minLength and the like in such a schema. */
  schemaCountMax: 1_000,
  /** Compiled grammars kept by a model. */
  grammarCacheMax: 64,
  /** Bytes of one answer of a model endpoint. */
  endpointAnswerBytesMax: 4 * MiB,

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
  /** And at most, by configuration. */
  sandboxPoolSizeMax: 32,
  /** After so long a server starts the first of them, or with its first script. */
  sandboxWarmUpMs: 3_000,
  /** Starts of warm sandbox processes under way at once; much of a start is waiting for the kernel. */
  sandboxStartsMax: 4,
  /** How long executions under way hold back the start of further warm processes. */
  sandboxRefillDelayMs: 25,
  /** Memory of an idle sandbox process that its control group allows on top of its script's. */
  sandboxIdleMemoryMb: 64,
  /** Processes and threads of one sandbox process. */
  sandboxTasksMax: 64,
  /** Sandbox processes that run a script at once; more executions wait. */
  sandboxConcurrencyMax: 8,
  /** Executions that wait for a sandbox process. */
  sandboxQueueMax: 1_024,
  /** Largest frame on the pipe of a sandbox process. */
  sandboxFrameBytesMax: 4 * MiB,
  /** JSON text of the input of one execution. */
  sandboxInputBytesMax: 256 * KiB,
  /** Deepest nesting of the value of a script. */
  sandboxResultDepthMax: 100,
  /** What a process may use above the limit of its script before it is killed. */
  sandboxMemorySlackMb: 32,
  /** Interval at which the watchdog looks at a running sandbox process. */
  sandboxWatchMs: 10,
  /** Longest start of a sandbox process. */
  sandboxStartMsMax: 15_000,
  /** Most lines that a script writes to its console. */
  sandboxConsoleLinesMax: 8_192,
  /** Files and folders that a script makes in its file system. */
  sandboxFilesDefault: 1_000,
  sandboxFilesMax: 10_000,
  /** Size of one file of a script. */
  sandboxFileBytesDefault: 8 * MiB,
  sandboxFileBytesMax: 16 * MiB,
  /** Bytes of everything that a script keeps in its file system. */
  sandboxTotalBytesDefault: 32 * MiB,
  sandboxTotalBytesMax: 128 * MiB,
  /** Bytes of the files that leave an execution. */
  sandboxOutputBytesDefault: 8 * MiB,
  sandboxOutputBytesMax: 32 * MiB,
  /** Calls of `fs` and `tools` in one execution, and how many of them are unanswered at once. */
  sandboxCallsDefault: 10_000,
  sandboxCallsMax: 100_000,
  sandboxCallsInFlightMax: 32,
  /** Bytes that one such call carries, there or back. */
  sandboxMessageBytesDefault: MiB,
  sandboxMessageBytesMax: 2 * MiB,
  /** Longest turn of the runtime's event loop for such calls. */
  sandboxCallTurnMs: 2,
  /** Tools that one execution is granted. */
  sandboxToolsMax: 64,
  sandboxToolNameMax: 80,
  /** Longest path in the file system of a script, longest name in it, and its depth. */
  overlayPathCharsMax: 1_024,
  overlayNameBytesMax: 255,
  overlayDepthMax: 32,
  /** Files and folders of everything that is mounted for an execution, and their size together. */
  sandboxMountFilesMax: 10_000,
  sandboxMountBytesMax: 64 * MiB,
  /** Size of an archive that is mounted, before it is unpacked. */
  sandboxArchiveBytesMax: 64 * MiB,
  /** Bytes of files that one request of the API gives and gets, before base64. */
  sandboxApiFileBytesMax: 512 * KiB,
  /** Processes of one shell or Python script. */
  sandboxScriptProcessesMax: 64,

  /** Requests that wait in one actuator. */
  actuatorQueueMax: 4_096,
  /** Files that a run's workspace begins with, and their size together. */
  workspaceFilesMax: 1_000,
  workspaceBytesMax: 64 * MiB,
  /** Parts in which a run keeps what its files were at its beginning; each fits into a record. */
  workspaceTextBytesMax: 512 * KiB,
  /** Largest file that the file actuator reads or writes. */
  workspaceFileBytesMax: 512 * KiB,
  /** Longest path inside a workspace. */
  workspacePathCharactersMax: 1_024,
  /** Most entries of one listed folder. */
  workspaceEntriesMax: 1_000,
  /** Blobs that one intention may read. */
  blobsPerReadMax: 256,
  /** Intentions that one actuator carries out at once, unless it says otherwise. */
  actuatorConcurrencyDefault: 8,
  /** Timers that the clock actuator keeps at once. */
  clockTimersMax: 4_096,
  /** Outcomes that the gateway remembers to answer a repeated key. */
  rememberedOutcomesMax: 4_096,
  rememberedOutcomeBytesMax: 32 * MiB,
  /** Public keys of actors that one directory holds. */
  registeredKeysMax: 262_144,

  /** Human operators whose keys may be enrolled, revoked ones counted. */
  operatorKeysMax: 64,
  /** Longest time that a signed change of the keys is good for. */
  keyStatementMsMax: 24 * 3_600_000,
  /** Egress grants that have not expired. */
  grantsMax: 100,
  /** Uses of one grant, and those that are proposed. */
  grantUsesMax: 1_000,
  grantUsesProposed: 10,
  /** Longest time for which a grant is good. */
  grantMsMax: 90 * 86_400_000,
  /** Requests that wait for people at once, equal ones counted once. */
  approvalsMax: 50,
  /** How long a request waits for people, without a setting and at most. */
  approvalSecondsDefault: 300,
  approvalSecondsMax: 7 * 86_400,
  /** Requests to the network that one runtime has under way or waiting. */
  httpConcurrencyMax: 64,
  /** Body of one request to the network, and of one answer, packed and unpacked. */
  httpBodyBytesMax: 512 * KiB,
  /** All headers of an answer, and how many a caller may set. */
  httpHeaderBytesMax: 16 * KiB,
  httpHeadersMax: 32,
  /** Redirects that one request follows. */
  httpRedirectsMax: 5,
  /** Time until a connection stands, and of a whole exchange. */
  httpConnectMsMax: 10_000,
  httpMsMax: 30_000,
  /** Longest address that is asked for. */
  urlCharactersMax: 2_000,
  /** Secrets of one vault, and what one may be: short ones would be found in any text. */
  secretsMax: 256,
  secretCharactersMin: 8,
  secretCharactersMax: 4_096,
  /** Size of the file of the vault. */
  vaultBytesMax: 4 * MiB,
  /** Size of a file with a passphrase, or with the key of an operator. */
  keyFileBytesMax: 16 * KiB,
  /** Leaf hashes of the audit that are in memory at once. */
  auditLeafChunkBytes: 1 * MiB,
  /** Checkpoints that are kept; of older ones every second one goes. */
  auditCheckpointsMax: 10_000,
  /** Longest signed note that is read, and longest request to a witness. */
  auditNoteBytesMax: 64 * KiB,
  /** Signatures of one note. */
  auditNoteSignaturesMax: 32,
  /** Hashes of one proof: a tree of 2^53 leaves is as high. */
  auditProofHashesMax: 128,
  /** Records up to which a stop signs the last checkpoint without another thread. */
  auditInlineRecordsMax: 20_000,
  /** Receivers of exported audit records. */
  auditExportsMax: 16,
  /** Records that are read for one batch of an export, and lines that it has; a group is never split. */
  auditExportRecordsMax: 4_096,
  /** Time between two looks at what is new for an export. */
  auditExportPollMs: 1_000,
  /** Longest time between two tries to reach a receiver. */
  auditExportBackoffMsMax: 60_000,
  /** Time that a receiver has to take one batch. */
  auditExportMsMax: 30_000,
  /** Largest message that is sent as one datagram of syslog. */
  syslogDatagramBytesMax: 60_000,
  /** Operations whose outcome an export waits for at once. */
  auditOpenOperationsMax: 65_536,
  /** Logs that one witness knows. */
  witnessLogsMax: 1_024,
  /** Time that a witness has to answer. */
  witnessMsMax: 10_000,
  /** Faults that one verification of the audit names; the rest are counted. */
  auditFaultsMax: 1_000,

  /** Body of one API request. */
  requestBodyBytesMax: 1 * MiB,
  /** Deepest nesting of such a body. */
  requestBodyDepthMax: 100,
  /** Events answered by one API call. */
  eventsPageMax: 1_000,
  /** And their JSON text together; a single larger event is answered alone. */
  eventsPageBytesMax: 4 * MiB,
  /** Bytes buffered for one slow WebSocket client before it is closed. */
  socketBufferBytesMax: 8 * MiB,
  /** Time that WebSocket clients have to answer the close of a server that stops. */
  socketCloseMsMax: 1_000,
  /** A token or certificate as text. */
  tokenCharactersMax: 4_096,
  /** How long a token for one execution counts, and a certificate of an actor. */
  tokenSecondsMax: 300,
  certificateSeconds: 300,
  /** A certificate is renewed when less than this is left of it. */
  certificateRenewSeconds: 60,
  /** How far the clocks of an issuer and a verifier may differ. */
  tokenSkewSecondsMax: 5,
  /** Used tokens that are remembered until they expire. */
  usedTokensMax: 262_144,
  /** Actors whose keys or certificates are held at once; the longest unused ones leave. */
  actorKeysMax: 65_536,
  /** Refusals of one actor within the window that put it into quarantine. */
  refusalsMax: 5,
  actorRefusalWindowMs: 60_000,
  /** External intentions and messages of one actor in a second; more is no work but a fault. */
  actorActsPerSecondMax: 200,
  actorMessagesPerSecondMax: 2_000,
  /** Bytes of one audit event, also of the one that stands for all before it. */
  auditEventBytesMax: 512 * KiB,
  /** Time that a stop may take before the process ends anyway. */
  shutdownMsMax: 10_000,
  ...doorLimits,
} as const;

assert(
  limits.intentionsPerStepMax <= limits.outboxFramesMax,
  'an empty outbox holds the intentions of one step',
);
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
assert(
  limits.arenaClasses.every(
    ({ slabBytes, slabs }, index, classes) =>
      slabs >= 1 && slabBytes % 4_096 === 0 && slabBytes > (classes[index - 1]?.slabBytes ?? 0),
  ),
  'the classes of the arena are whole pages and grow',
);
assert(
  limits.arenaClasses.reduce((sum, { slabs }) => sum + slabs, 0) <= 65_536,
  'a reference names a slab in 16 bits',
);
assert(
  limits.busThreadsMax <= 64 && limits.arenaLeasesPerSlab >= limits.busThreadsMax,
  'a lease names a thread in 6 bits, and a payload can be shared with every thread',
);
assert(
  limits.generationReplyMsMax >= limits.actuatorQueueMax * limits.generationMsMax &&
    limits.generationReplyMsMax <= limits.requestDeadlineMsMax,
  'the last of a full queue is answered before its deadline',
);
assert(
  limits.chatMessagesMax >= 2 + 3 * limits.agentTurnsMax,
  'a conversation fits into a prompt: each turn an answer, a result and the prompt of a retry',
);
assert(
  3 * limits.contextCharactersMax <= limits.contextCacheBytesMax &&
    limits.contextCacheBytesMax < limits.valueBytesMax,
  'the largest context, in UTF-8, is remembered whole and fits into a message',
);
