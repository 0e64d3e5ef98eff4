/**
 * The public catalogue of errors. A code never changes its meaning;
 * `docs/errors.md` is written from this file and a test compares the two.
 */

/** Exit statuses of `claw`. */
export const exitStatus = {
  ok: 0,
  unexpected: 1,
  badInput: 2,
  diverged: 3,
  environment: 4,
  dataDamaged: 5,
  runFailed: 6,
  /** What a shell gives to a program ended by SIGINT. */
  interrupted: 130,
} as const;

interface ErrorEntry {
  /** Exit status of a command that ends with this error. */
  readonly exit: number;
  /** HTTP status of an answer that carries this error. */
  readonly http: number;
  readonly meaning: string;
  readonly remedy: string;
}

function entry(exit: number, http: number, meaning: string, remedy: string): ErrorEntry {
  return { exit, http, meaning, remedy };
}

const { unexpected, badInput, environment, dataDamaged, runFailed, diverged, interrupted } =
  exitStatus;

export const errorCatalogue = {
  INTERNAL: entry(
    unexpected,
    500,
    'A fault inside the runtime.',
    'Run again with --debug and report the trace.',
  ),
  USAGE: entry(badInput, 400, 'The command or its options are wrong.', 'See claw --help.'),
  NODE_TOO_OLD: entry(
    environment,
    500,
    'Node.js is older than 24.',
    'Install Node.js 24 or newer, or run npm ci, which brings one.',
  ),
  NATIVE_PACKAGE_MISSING: entry(
    environment,
    500,
    'A native package is missing or does not load.',
    'Run npm ci again on this machine; claw doctor names the package.',
  ),
  CONFIG_INVALID: entry(
    badInput,
    400,
    'The configuration file or an environment variable is wrong.',
    'Correct the value that the message names.',
  ),

  CLEARANCE_INSUFFICIENT: entry(
    runFailed,
    403,
    'An agent would have read a text whose label is above its clearance. It was not told the text.',
    'Give the agent a higher clearance, the text a lower label, or the agent a prompt without it.',
  ),
  POLICY_DENIED: entry(
    runFailed,
    403,
    'A policy forbids the operation, or none permits it.',
    'The message names the policies; claw policy explain tells of one request.',
  ),
  POLICY_INVALID: entry(
    badInput,
    400,
    'A policy file, or a file of policy tests, is wrong or does not fit the schema of policies.',
    'Correct the line and column that the message names; claw policy check shows all of them.',
  ),

  PIPELINE_NOT_FOUND: entry(
    badInput,
    400,
    'The pipeline file does not exist or cannot be read.',
    'Check the path.',
  ),
  PIPELINE_INVALID: entry(
    badInput,
    400,
    'The pipeline is not valid YAML or breaks the pipeline schema.',
    'Correct the line and column that the message names.',
  ),
  PIPELINE_CYCLE: entry(
    badInput,
    400,
    'Steps need each other in a circle.',
    'Remove one of the needs that the message names.',
  ),
  PIPELINE_UNKNOWN_REFERENCE: entry(
    badInput,
    400,
    'A step names an agent, step, tool or variable that does not exist.',
    'Define it or correct its name.',
  ),
  INPUT_NOT_FOUND: entry(
    badInput,
    400,
    'The input folder does not exist or cannot be read.',
    'Check the path and its permissions.',
  ),
  INPUT_EMPTY: entry(
    badInput,
    400,
    'The input folder has no document that the pipeline accepts.',
    'Add documents or change input.documents.include.',
  ),
  DOCUMENT_NOT_TEXT: entry(
    badInput,
    400,
    'A document is not UTF-8 text.',
    'Convert it to text or leave it out of the folder.',
  ),
  DOCUMENT_TOO_LARGE: entry(
    badInput,
    413,
    'A document is larger than the limit.',
    'Split it, or leave it out of the folder.',
  ),
  TOO_MANY_DOCUMENTS: entry(
    badInput,
    413,
    'The folder has more documents than one run may take.',
    'Run the pipeline over parts of the folder.',
  ),
  WORKSPACE_TOO_LARGE: entry(
    badInput,
    413,
    'The workspace folder of the pipeline has more files or bytes than a run may begin with.',
    'Leave out of the folder what no tool reads.',
  ),
  OUTPUT_NOT_WRITABLE: entry(
    badInput,
    400,
    'The output file cannot be written.',
    'Choose another path with --out.',
  ),

  MODEL_NOT_FOUND: entry(
    badInput,
    400,
    'The model file does not exist or cannot be read.',
    'Check --model or OPENCLAW_MODEL.',
  ),
  MODEL_UNKNOWN: entry(
    badInput,
    400,
    'An agent names a model that does not serve.',
    'Name the model that serves, or none; claw up says which it is.',
  ),
  MODEL_INVALID: entry(
    badInput,
    400,
    'The model file is not GGUF or llama.cpp cannot load it.',
    'Use a GGUF file of a supported architecture.',
  ),
  DEVICE_UNAVAILABLE: entry(
    environment,
    503,
    'A model is pinned to a GPU, and llama.cpp finds none here.',
    'Install the driver of the GPU, or say device: auto or cpu.',
  ),
  MODEL_TOO_LARGE: entry(
    environment,
    507,
    'A model alone needs more memory than all models together may take.',
    'Raise modelMemoryMb in the configuration file, give it fewer sequences, or use a smaller model.',
  ),
  PRIVACY_LOCAL_ONLY: entry(
    badInput,
    403,
    'What may be shown to models on this machine alone would have gone to an endpoint.',
    'Add a model file to models: in the configuration file, or say privacy: any.',
  ),
  ROUTE_EMPTY: entry(
    badInput,
    400,
    'The routing policy lets no model answer.',
    'Change routing: of the pipeline or the configuration, or add a model; the message has the reasons.',
  ),
  ROUTE_NOT_FOUND: entry(
    badInput,
    404,
    'An event tells of no choice of a model.',
    'Name the event of an outcome of a generation that was routed; claw route explain --run RUN lists them.',
  ),
  INFERENCE_UNAVAILABLE: entry(
    environment,
    503,
    'The model endpoint cannot be reached, or the process of the model has ended.',
    'Check OPENCLAW_BASE_URL and that the server runs; a process is started again by itself.',
  ),
  INFERENCE_REJECTED: entry(
    environment,
    502,
    'The model endpoint refused the request.',
    'Check the key in OPENCLAW_API_KEY and the model name.',
  ),
  INFERENCE_PROTOCOL: entry(
    environment,
    502,
    'The model endpoint answered something that is not the protocol.',
    'Check that OPENCLAW_BASE_URL ends where an OpenAI-compatible API begins, usually /v1.',
  ),
  INFERENCE_TIMEOUT: entry(
    runFailed,
    504,
    'A generation took longer than its time limit.',
    'Raise limits.timeoutMs of the agent or use a faster model.',
  ),
  INFERENCE_ABORTED: entry(
    interrupted,
    499,
    'A generation was stopped on request.',
    'Nothing to do.',
  ),
  CONTENT_UNSUPPORTED: entry(
    badInput,
    400,
    'The model does not take images or recordings.',
    'Ask a model that does, or ask in text alone.',
  ),
  CONTEXT_TOO_LONG: entry(
    badInput,
    400,
    'The prompt does not fit the context window of the model.',
    'Split the document (input.documents.split) or use a model with a larger window.',
  ),
  CONTEXT_NOT_FOUND: entry(
    badInput,
    404,
    'A run has no context of that hash.',
    'See claw context RUN, which lists the contexts of agents with turns.',
  ),
  CONTEXT_UNKNOWN: entry(
    unexpected,
    500,
    'The inference worker does not remember the context that a generation is asked on.',
    'Nothing to do: it is asked again with the whole context.',
  ),
  SCHEMA_UNSUPPORTED: entry(
    badInput,
    400,
    'The JSON Schema cannot constrain a generation.',
    'Use type, properties, items, enum, const, oneOf and their like.',
  ),

  SANDBOX_TIMEOUT: entry(
    runFailed,
    422,
    'A script ran longer than its time limit and was killed.',
    'Make the script shorter or raise --timeout-ms.',
  ),
  SANDBOX_MEMORY: entry(
    runFailed,
    422,
    'A script used more memory than its limit and was killed.',
    'Make the script smaller or raise --memory-mb.',
  ),
  SANDBOX_CPU: entry(
    runFailed,
    422,
    'A script used more processor time than its limit and was killed.',
    'Make the script do less; threads of the engine count too.',
  ),
  SANDBOX_LAYER_MISSING: entry(
    environment,
    503,
    'The policy requires a layer of the sandbox that does not work on this host.',
    'Do what the message says for the layer, or set it to degrade under sandbox: in the configuration; claw doctor lists the layers.',
  ),
  ISOLATED_VM_OUTDATED: entry(
    environment,
    500,
    'The package isolated-vm is older than 7.0.1, which closes a way out of its isolates (GHSA-864f-rcv7-6rh4).',
    'Run npm ci again; claw doctor shows the version.',
  ),
  SANDBOX_SCRIPT_ERROR: entry(
    runFailed,
    422,
    'The script threw an error or does not compile.',
    'Correct the script; the message is its own.',
  ),
  SANDBOX_RESULT_INVALID: entry(
    runFailed,
    422,
    'The value of the script has no JSON form or is too large.',
    'Return plain JSON data.',
  ),
  SANDBOX_CRASHED: entry(
    runFailed,
    422,
    'The sandbox process ended before it answered.',
    'Run it again; if it repeats, the script attacks its sandbox.',
  ),
  SANDBOX_INPUT_INVALID: entry(
    badInput,
    400,
    'The script file or a limit is not acceptable.',
    'Check the file and the limits that the message names.',
  ),
  SANDBOX_CALLS: entry(
    runFailed,
    422,
    'A script called fs or tools more often than its limit.',
    'Make fewer calls or raise --calls.',
  ),
  SANDBOX_FILES: entry(
    runFailed,
    422,
    'A script made more or larger files than its limits.',
    'Write less or raise the limit that the message names.',
  ),
  SANDBOX_MESSAGE: entry(
    runFailed,
    422,
    'One call of a script carried more bytes than its limit.',
    'Read and write large files in parts.',
  ),
  SANDBOX_OUTPUT: entry(
    runFailed,
    422,
    'A script gave out more than may leave, or something that is no plain file.',
    'Leave only plain files under /out, within the limit that the message names.',
  ),
  SANDBOX_MOUNT_INVALID: entry(
    badInput,
    400,
    'A folder, file or archive cannot be mounted.',
    'Check the entry that the message names.',
  ),
  SANDBOX_INTERPRETER_MISSING: entry(
    environment,
    503,
    'The program that runs a script of this language is not on this machine.',
    'Install what the message names.',
  ),

  INTENTION_INVALID: entry(
    runFailed,
    422,
    'An intention breaks the schema of its actuator.',
    'Correct the machine or the tool definition.',
  ),
  JOURNAL_RELAXED: entry(
    runFailed,
    409,
    'An effect that must not happen twice was wanted while the journal is relaxed.',
    'Start the runtime with --journal durable.',
  ),
  INTENTION_ABORTED: entry(
    runFailed,
    499,
    'An intention was stopped on request before it was carried out.',
    'Nothing to do.',
  ),
  KEY_FILE_INVALID: entry(
    environment,
    500,
    'A file with a private key of the runtime cannot be used.',
    'Give it back its content and the mode 600, or remove it: a new key is made, and what the old one signed is refused.',
  ),
  CERTIFICATE_INVALID: entry(
    badInput,
    403,
    'An agent has no certificate of the authority that counts now.',
    'See claw quarantine list; nothing that it wanted was done.',
  ),
  TOKEN_INVALID: entry(
    badInput,
    403,
    'A token for an execution is forged, malformed or not of its time.',
    'See claw quarantine list; nothing was done.',
  ),
  TOKEN_EXPIRED: entry(
    badInput,
    403,
    'A token for an execution has expired.',
    'Nothing was done; the runtime mints another one for the next attempt.',
  ),
  TOKEN_MISMATCH: entry(
    badInput,
    403,
    'A token is for another agent, key, actuator, operation or arguments.',
    'See claw quarantine list; nothing was done.',
  ),
  TOKEN_REPLAYED: entry(
    badInput,
    403,
    'A token for one execution was used a second time.',
    'See claw quarantine list; nothing was done.',
  ),
  PERMISSION_DENIED: entry(
    badInput,
    403,
    'An actor wants what its place in the run does not permit.',
    'See claw quarantine list; grant the tool in the pipeline if the agent is to have it.',
  ),
  CHARTER_INVALID: entry(
    dataDamaged,
    409,
    'The definition or the documents of a run are not those that were sealed when it began.',
    'Somebody changed the journal, or the key of the authority is another: run claw audit verify; the run can be looked at, and does not go on.',
  ),
  MESSAGE_REFUSED: entry(
    badInput,
    403,
    'A message between actors was forged, altered, or is not permitted.',
    'See claw quarantine list; the message was not taken.',
  ),
  QUARANTINED: entry(
    badInput,
    409,
    'The agent is in quarantine: it can be looked at and replayed, and does nothing.',
    'Look at claw quarantine list; an operator releases it with claw quarantine release.',
  ),
  RELEASE_REFUSED: entry(
    badInput,
    403,
    'A release from quarantine is not signed by enough operators, or not for this quarantine.',
    'See claw quarantine list and claw key list; sign it again.',
  ),
  REPEATED_REFUSALS: entry(
    badInput,
    403,
    'An agent was refused too often.',
    'Look at what it wanted with claw effects RUN; release it with claw quarantine release.',
  ),
  RATE_EXCEEDED: entry(
    badInput,
    429,
    'An agent asks or tells more in a second than one does that works.',
    'Look at claw events RUN; release it with claw quarantine release.',
  ),
  SIGNATURE_INVALID: entry(
    runFailed,
    403,
    'An intention is not signed by the key of its agent.',
    'The request was refused and journaled; look at claw events.',
  ),
  ACTUATOR_UNKNOWN: entry(
    runFailed,
    422,
    'No actuator has the name in the intention.',
    'Use file, clock, sandbox or inference.',
  ),
  ACTUATOR_BUSY: entry(
    runFailed,
    503,
    'The queue of an actuator is full.',
    'Start fewer runs at once.',
  ),
  ACTUATOR_FAILED: entry(
    runFailed,
    502,
    'An actuator could not carry out an intention.',
    'The message says what failed.',
  ),
  FILE_OUTSIDE_WORKSPACE: entry(
    runFailed,
    403,
    'A path leads out of the workspace.',
    'Use a relative path inside the workspace.',
  ),
  FILE_NOT_FOUND: entry(
    runFailed,
    404,
    'The file does not exist in the workspace.',
    'Check the path.',
  ),
  FILE_TOO_LARGE: entry(
    runFailed,
    413,
    'The file is larger than the limit.',
    'Use a smaller file.',
  ),
  OUTCOME_UNKNOWN: entry(
    runFailed,
    409,
    'Nobody can say whether an effect happened before a crash.',
    'Look at the effect yourself, then decide.',
  ),

  DATA_DIRECTORY_LOCKED: entry(
    environment,
    409,
    'Another live process owns the data directory.',
    'Use that server, stop it, or choose another --data.',
  ),
  DATA_DIRECTORY_UNUSABLE: entry(
    environment,
    500,
    'The data directory cannot be created, read or written.',
    'Check its permissions or choose another --data.',
  ),
  DATA_VERSION_NEWER: entry(
    dataDamaged,
    500,
    'The data directory was written by a newer version.',
    'Upgrade, or choose another --data.',
  ),
  JOURNAL_CORRUPT: entry(
    dataDamaged,
    500,
    'The journal is damaged below its last durable position.',
    'Restore the data directory from a copy, or see claw journal verify and claw journal repair.',
  ),
  RUN_NOT_ENDED: entry(
    badInput,
    409,
    'Something was asked of an open run that only an ended one can give.',
    'Wait for its end or cancel it.',
  ),
  RUN_EXISTS: entry(
    badInput,
    409,
    'A run of this id is in the data directory already.',
    'Import it into another data directory with --data.',
  ),
  RUN_TOO_LARGE: entry(
    badInput,
    413,
    'A run does not fit into an archive.',
    'Copy the data directory instead.',
  ),
  ARCHIVE_INVALID: entry(
    badInput,
    422,
    'A file is not the archive of one whole run.',
    'Export the run again, or transfer the file again.',
  ),
  RUN_ERASED: entry(
    badInput,
    410,
    'The run was erased: its keys are gone, and nothing of it can be read.',
    'Replay it from an archive or a backup of before, if you kept one.',
  ),
  RUN_KEYS_MISSING: entry(
    dataDamaged,
    410,
    'The keys of the run are missing or damaged, and the journal does not say that it was erased.',
    'Restore the file in keys/ that the message names from a backup, or give the run up with claw runs rm.',
  ),
  RUN_NOT_ENCRYPTED: entry(
    badInput,
    409,
    'The run was written before runs had keys of their own, so it cannot be erased alone.',
    'Drop it with all that is older: claw journal compact.',
  ),
  RUN_HAS_FORKS: entry(
    badInput,
    409,
    'Other runs begin with the events of this one and would be lost with it.',
    'Erase the forks first, or all together with --forks.',
  ),
  RUN_COMPACTED: entry(
    badInput,
    410,
    'The events of the run were dropped, after a full replay had found them equal.',
    'claw runs shows what it came to; replay it from a backup or an archive of before.',
  ),
  COMPACTION_REFUSED: entry(
    environment,
    409,
    'The record of what was dropped from the journal is full.',
    'Begin a new data directory.',
  ),
  DATA_DIRECTORY_BUSY: entry(
    environment,
    409,
    'A backup or a compaction is under way, or a run that was to be dropped is in use.',
    'Try again when that is over.',
  ),
  COMPACTION_UNPROVEN: entry(
    dataDamaged,
    500,
    'What would be left of the journal is not the same as before, so nothing was dropped.',
    'See claw journal verify.',
  ),
  REDACTION_RULES_INVALID: entry(
    badInput,
    422,
    'A file of redaction rules cannot be read, or is not what such a file has to be.',
    'The message names what is wrong; see claw runs export --help.',
  ),
  RUN_NOT_REDACTED: entry(
    badInput,
    422,
    'The run cannot be told again without what the rules match.',
    'Use other patterns; the message says where it fails.',
  ),
  BACKUP_REFUSED: entry(
    badInput,
    409,
    'The folder of a backup is not empty and holds no earlier backup of this data directory.',
    'Name an empty folder, or the one of an earlier backup.',
  ),
  BACKUP_NOT_WHOLE: entry(
    environment,
    503,
    'The data directory changed while it was copied, so that the copy is not whole.',
    'Repeat the backup into the same folder.',
  ),
  FILE_EXISTS: entry(
    badInput,
    409,
    'A file that would be written is there already.',
    'Name another file, or remove that one.',
  ),
  ACTOR_NOT_FOUND: entry(
    badInput,
    404,
    'A run has no actor of that name.',
    'See claw events, which names the actors of a run.',
  ),
  EFFECT_NOT_FOUND: entry(
    badInput,
    404,
    'A run has no effect of that key.',
    'See claw effects RUN, which lists the keys.',
  ),
  EFFECT_SETTLED: entry(
    badInput,
    409,
    'It is known what came of the effect, or somebody is at work on it.',
    'Nothing to do.',
  ),
  OUTCOME_INVALID: entry(
    badInput,
    400,
    'An outcome is not one that its operation can have.',
    'Say done or failed, or give the outcome as JSON.',
  ),
  CASE_INVALID: entry(
    badInput,
    400,
    'A recorded test case is absent or not whole.',
    'Record it again with claw test record RUN.',
  ),
  FORK_INVALID: entry(
    badInput,
    400,
    'A run cannot be forked there, or not with these changes.',
    'The message says what would do; claw events lists the events of a run.',
  ),
  FORK_WORKSPACE_LOST: entry(
    badInput,
    409,
    'A file that the forked run began with is neither in the journal nor what it was.',
    'Fork at an event after which the run has written the file itself.',
  ),
  EFFECT_WITHHELD: entry(
    badInput,
    403,
    'A fork wanted an effect outside its own files, and nobody allowed it.',
    'Fork again with --allow-effects if it may happen once more.',
  ),
  RUN_DAMAGED: entry(
    dataDamaged,
    409,
    'Events of a run were lost with a damaged part of the journal.',
    'Restore the data directory from a copy to have the run whole; others are not concerned.',
  ),
  JOURNAL_FAILED: entry(
    environment,
    500,
    'The journal cannot be written, so the runtime stops.',
    'Free disk space or repair the disk, then start again; nothing acknowledged is lost.',
  ),
  JOURNAL_REFUSED: entry(
    unexpected,
    500,
    'A record does not continue the history of its actor.',
    'Report it; the record was not written.',
  ),
  JOURNAL_RECORD_TOO_LARGE: entry(
    runFailed,
    413,
    'A journal record is larger than the limit.',
    'Make the texts or the state of the agent smaller.',
  ),
  DISK_FULL: entry(
    environment,
    507,
    'The disk is full, so the runtime stops.',
    'Free disk space, then start again; nothing acknowledged is lost.',
  ),
  SNAPSHOT_DAMAGED: entry(
    dataDamaged,
    500,
    'The snapshot of a hibernated actor in shared memory is not what was written; the actor is rebuilt from the journal.',
    'Nothing need be done; if it happens again, test the memory of the machine.',
  ),
  BLOB_MISSING: entry(
    dataDamaged,
    500,
    'A blob that an event names is not in the journal.',
    'Restore the data directory from a copy.',
  ),
  PORT_IN_USE: entry(
    environment,
    500,
    'The port is taken.',
    'Stop the other program or choose another --port.',
  ),
  SERVER_UNREACHABLE: entry(
    environment,
    503,
    'The server that owns the data directory does not answer.',
    'Restart it with claw up.',
  ),
  SERVER_NOT_RUNNING: entry(
    environment,
    503,
    'No server uses the data directory.',
    'Start one with claw up, or name its data directory with --data.',
  ),

  UNAUTHENTICATED: entry(
    environment,
    401,
    'The API wants an access token, or does not accept the one it was given.',
    'Give one by --token-file or OPENCLAW_TOKEN; claw access add makes one.',
  ),
  ROLE_INSUFFICIENT: entry(
    badInput,
    403,
    'The access token has no role that gives the right to this.',
    'Use a token with the role that the message names.',
  ),
  RATE_LIMITED: entry(
    environment,
    429,
    'A client asked too often, or has too many connections open.',
    'Wait as long as the header Retry-After says, or raise api.rate in the configuration file.',
  ),
  API_EXPOSED: entry(
    badInput,
    400,
    'The API would listen beyond this machine without what that needs.',
    'The message says what is missing: a token, TLS, or the names it is called by.',
  ),
  TLS_INVALID: entry(
    badInput,
    400,
    'The certificate or the key of the API cannot be used.',
    'Check api.tls in the configuration file: a certificate and its own key, both in PEM.',
  ),
  ACCESS_FILE_UNUSABLE: entry(
    dataDamaged,
    503,
    'The list of access tokens cannot be read or trusted.',
    'Correct its permissions, restore access.json from a backup, or remove it and make new tokens.',
  ),
  ACCESS_FILE_BUSY: entry(
    environment,
    409,
    'Somebody else is changing the list of access tokens.',
    'Try again.',
  ),
  ACCESS_NAME_INVALID: entry(
    badInput,
    400,
    'The name of an access token is not acceptable.',
    'Use letters, digits, dots, dashes and underscores, at most 63.',
  ),
  ACCESS_NAME_TAKEN: entry(
    badInput,
    409,
    'An access token of this name exists.',
    'Remove it with claw access rm, or choose another name.',
  ),
  ACCESS_NOT_FOUND: entry(
    badInput,
    404,
    'There is no access token of this name.',
    'See claw access list.',
  ),
  ACCESS_LIST_FULL: entry(
    environment,
    409,
    'There are as many access tokens as there may be.',
    'Remove one with claw access rm.',
  ),

  BUS_MESSAGE_TOO_LARGE: entry(
    runFailed,
    413,
    'A message is larger than the ring accepts.',
    'Pass large payloads through the arena, or as blobs.',
  ),
  BUS_FRAME_CORRUPT: entry(
    unexpected,
    500,
    'A frame on the bus is damaged.',
    'Report it; the frame was skipped.',
  ),
  BUS_BODY_UNSUPPORTED: entry(
    unexpected,
    500,
    'A message body has a value that has no form on the bus.',
    'Report it; nothing was sent.',
  ),
  BUS_NOT_PERMITTED: entry(
    unexpected,
    500,
    'A thread sent or subscribed to what its topic does not allow.',
    'Report it; nothing was sent.',
  ),
  BUS_REQUEST_EXPIRED: entry(
    environment,
    504,
    'A request on the bus got no reply before its deadline.',
    'Try again; the thread that should reply is busy or gone.',
  ),
  BUS_THREAD_ENDED: entry(
    unexpected,
    500,
    'A request on the bus went to a thread that has ended.',
    'Start the runtime again.',
  ),
  BUS_CLOSED: entry(
    environment,
    503,
    'A thread left the bus before the reply to its request.',
    'Try again once the runtime has started.',
  ),
  BUS_ARENA_TOO_LARGE: entry(
    runFailed,
    413,
    'A payload is larger than the largest slab of the arena.',
    'Split the payload, or keep it in a file.',
  ),
  BUS_ARENA_STALE: entry(
    unexpected,
    500,
    'A reference names a payload that is gone or belongs to another thread.',
    'Report it; no bytes were read.',
  ),
  BUS_ARENA_RELEASED: entry(
    unexpected,
    500,
    'A payload was used after its lease was released or passed on.',
    'Report it; duplicate the lease before passing it on.',
  ),
  OUTBOX_FULL: entry(
    environment,
    503,
    'The runtime has no room for another message.',
    'Try again when fewer runs are open.',
  ),

  OPERATOR_KEY_INVALID: entry(
    badInput,
    400,
    'A file or text is no key of an operator, or names one that is not there.',
    'claw key new makes a key; claw key list shows the enrolled ones.',
  ),
  PASSPHRASE_WRONG: entry(
    badInput,
    400,
    'The passphrase is missing or another one.',
    'Give the file with the right one by --passphrase-file.',
  ),
  KEY_CHANGE_REFUSED: entry(
    badInput,
    409,
    'The keys of the operators are not changed: signatures are missing, or the change makes no sense now.',
    'Correct what the message names; claw key list shows keys and threshold.',
  ),
  GRANT_INVALID: entry(
    badInput,
    400,
    'The document is no egress grant, or none that may be issued now.',
    'Correct the field that the message names, or sign another.',
  ),
  GRANT_NOT_FOUND: entry(badInput, 404, 'There is no such grant.', 'claw grant list shows them.'),
  APPROVAL_NOT_FOUND: entry(
    badInput,
    404,
    'Nothing waits for a decision under this id.',
    'claw approve lists what waits.',
  ),
  EGRESS_NOT_GRANTED: entry(
    runFailed,
    403,
    'No grant covers the request to the network, and nobody approved it in time.',
    'claw approve shows what waits; claw grant issue grants ahead of time.',
  ),
  EGRESS_DENIED: entry(
    runFailed,
    403,
    'An operator denied the request to the network.',
    'Ask whoever denied it.',
  ),
  EGRESS_URL_REFUSED: entry(
    badInput,
    400,
    'The address is none, or one that two programs could read as two places.',
    'Write it plainly: https, a host name, a path.',
  ),
  EGRESS_ADDRESS_REFUSED: entry(
    badInput,
    403,
    'The host is this machine or the network around it.',
    'Agents reach the public network alone; no grant changes that.',
  ),
  EGRESS_FAILED: entry(
    environment,
    502,
    'The request to the network failed on its way.',
    'Try again later; the message names the host.',
  ),
  EGRESS_TOO_LARGE: entry(
    badInput,
    413,
    'The answer from the network is larger than the grant or the runtime allows.',
    'Ask for less of it.',
  ),
  SECRET_NOT_FOUND: entry(
    badInput,
    404,
    'The vault has no secret of this name.',
    'claw secret list shows the names; claw secret set sets one.',
  ),
  SECRET_INVALID: entry(
    badInput,
    400,
    'The secret or its name is not valid.',
    'Correct what the message names.',
  ),
  VAULT_LOCKED: entry(
    environment,
    503,
    'The vault cannot be opened: its passphrase or key file is missing, or it is being changed.',
    'Set OPENCLAW_VAULT_PASSPHRASE or give --passphrase-file.',
  ),
  VAULT_DAMAGED: entry(
    dataDamaged,
    500,
    'The vault was changed or damaged.',
    'Put back a copy of it, or remove the file that the message names and set the secrets again.',
  ),

  RUN_NOT_FOUND: entry(badInput, 404, 'No run has this id.', 'claw runs lists the runs.'),
  RUN_NOT_OPEN: entry(badInput, 409, 'The run has already ended.', 'Nothing to do.'),
  TOO_MANY_RUNS: entry(
    environment,
    429,
    'As many runs as allowed are open.',
    'Wait until one of them ends.',
  ),
  RUN_STOPPED: entry(
    runFailed,
    422,
    'A rule of the supervisor, or a person, stopped the run.',
    'claw runs show tells why; correct it and start the run again, or fork it before.',
  ),
  RUN_FAILED: entry(runFailed, 422, 'The run ended without its result.', 'claw events shows why.'),
  EVENT_FATAL: entry(
    runFailed,
    500,
    'The thread of an actor died each time at the same event, so its run is suspended.',
    'Start the runtime again to let it go on, or cancel the run; claw events shows its last events.',
  ),
  REPLAY_DIVERGED: entry(
    diverged,
    409,
    'A replay found another state than the journal.',
    'The first divergence is printed; the machine changed or the journal did.',
  ),
  SNAPSHOT_MISMATCH: entry(
    dataDamaged,
    500,
    'A snapshot of a run is not what its events make.',
    'Nothing is lost: the run is replayed in full instead. Report the notice.',
  ),
  AUDIT_KEY_INVALID: entry(
    badInput,
    400,
    'A key of the log or of a witness is not one.',
    'Give the line as claw audit or claw witness wrote it; restore a damaged file from a copy.',
  ),
  AUDIT_NOTE_INVALID: entry(
    badInput,
    400,
    'A checkpoint, a proof or a request to a witness is not of its form.',
    'Give the file as claw audit wrote it.',
  ),
  AUDIT_LOG_DAMAGED: entry(
    dataDamaged,
    500,
    'The journal does not continue what its checkpoints say, so no further one is signed.',
    'claw audit verify names the place; restore the data directory, or begin a new log with claw audit restart.',
  ),
  AUDIT_PROOF_REFUSED: entry(
    dataDamaged,
    422,
    'A proof of the audit does not hold.',
    'What it claims is not so, or the key is that of another log.',
  ),
  AUDIT_RECORD_NOT_FOUND: entry(
    badInput,
    404,
    'No checkpoint covers the record, or there is none of that name.',
    'Take a checkpoint first with claw audit checkpoint; claw events lists events.',
  ),
  AUDIT_EXPORT_FAILED: entry(
    environment,
    502,
    'The receiver of exported audit records does not take them.',
    'Start or correct the receiver; nothing is lost, and the export goes on where it was.',
  ),
  WITNESS_EXISTS: entry(
    badInput,
    409,
    'The folder is a witness already.',
    'Use it, or choose an empty folder.',
  ),
  WITNESS_NOT_FOUND: entry(
    badInput,
    404,
    'The folder is no witness.',
    'Make one with claw witness init.',
  ),
  WITNESS_LOG_UNKNOWN: entry(
    badInput,
    404,
    'The witness does not know the log of the checkpoint.',
    'Add the log.pub of the log with claw witness add.',
  ),
  WITNESS_SIGNATURE: entry(
    badInput,
    403,
    'A checkpoint is not signed by the key that its log is known by.',
    'Ask for a log with the key that the witness knows.',
  ),
  WITNESS_CONFLICT: entry(
    dataDamaged,
    409,
    'A witness has seen another history of the log, or more of it.',
    'If the data directory was restored from a copy, that is why; else find out who changed it.',
  ),
  WITNESS_REFUSED: entry(
    dataDamaged,
    422,
    'A witness does not cosign, for the log does not continue what it saw.',
    'claw audit verify --witness names the place.',
  ),
  WITNESS_DAMAGED: entry(
    dataDamaged,
    500,
    'A file of the witness is not what it wrote.',
    'Restore the folder of the witness from a copy.',
  ),
  WITNESS_UNREACHABLE: entry(
    environment,
    503,
    'The witness does not answer, or not as one.',
    'Start it with claw witness serve, and compare audit.witness of the configuration.',
  ),
  REQUEST_INVALID: entry(
    badInput,
    400,
    'The request body or a parameter is not valid.',
    'Correct the field that the message names.',
  ),
  REQUEST_FORBIDDEN: entry(
    badInput,
    403,
    'The request comes from a web page of another site, or under a name that is not this host.',
    'Call the API at 127.0.0.1 or localhost, and from no page but its own.',
  ),
  NOT_FOUND: entry(
    badInput,
    404,
    'There is nothing at this address.',
    'See the README for the routes.',
  ),
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof errorCatalogue;

export interface RuntimeErrorOptions {
  readonly cause?: unknown;
  /** The same call may succeed later. */
  readonly retryable?: boolean;
  /** Ids and values that the message speaks of, plain JSON. */
  readonly details?: Readonly<Record<string, unknown>>;
}

/** An operating error: foreseen, named, with a remedy. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, options: RuntimeErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.details = options.details ?? {};
  }
}

/** An error as it crosses a thread, a pipe or the journal. */
export interface ErrorMessage {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable?: boolean;
  /** Whoever refused asks not to be asked again any sooner. */
  readonly retryAfterMs?: number;
  readonly stack?: string;
}

/** Whether the catalogue has the code. */
export function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === 'string' && Object.hasOwn(errorCatalogue, code);
}

export function toErrorMessage(error: unknown): ErrorMessage {
  if (error instanceof RuntimeError) {
    const { code, message, retryable } = error;
    const { retryAfterMs } = error.details;
    const after = typeof retryAfterMs === 'number' ? { retryAfterMs } : {};
    return { code, message, retryable, ...after };
  }
  const cause = error instanceof Error ? error : new Error(String(error));
  return {
    code: 'INTERNAL',
    message: cause.message,
    ...(cause.stack ? { stack: cause.stack } : {}),
  };
}

/** Rebuilds an error by its code, because classes do not cross threads. */
export function fromErrorMessage(message: ErrorMessage): RuntimeError {
  const error = new RuntimeError(
    isErrorCode(message.code) ? message.code : 'INTERNAL',
    message.message,
    {
      retryable: message.retryable ?? false,
      ...(message.retryAfterMs === undefined
        ? {}
        : { details: { retryAfterMs: message.retryAfterMs } }),
    },
  );
  if (message.stack !== undefined) error.stack = message.stack;
  return error;
}
