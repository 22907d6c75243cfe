/**
 * Every bound of the product in one place: lengths, queues, times. The unit is the last word of the name.
 * A limit that a person may want to change becomes configuration; until then it is a constant with a reason.
 */
export const limits = {
  /** A startup packet larger than this is not a startup packet (PostgreSQL itself refuses at 10,000). */
  startupPacketBytesMax: 10_000,
  /** One protocol message before authentication. */
  preAuthMessageBytesMax: 4_096,
  /** One protocol message from a client after authentication. Larger statements cannot be approved or recorded sensibly. */
  clientMessageBytesMax: 16 * 1024 * 1024,
  /** One message from a target; PostgreSQL's own limit for a value is 1 GiB, a gateway must not buffer that. */
  targetMessageBytesMax: 64 * 1024 * 1024,
  /** Statement text that is parsed; longer text is refused. */
  statementBytesMax: 4 * 1024 * 1024,
  /** Nesting of a statement: tokens that can each add a level of the parse tree. The parser itself recurses; it must not run out of stack. */
  statementDepthMax: 1_000,
  /** Tokens of a statement text: bounds the time one text can hold the event loop (about 3 µs each). */
  statementTokensMax: 250_000,
  /** Steps of the lineage analysis for one text, and recursion of the analysis. */
  inspectStepsMax: 1_000_000,
  inspectDepthMax: 400,
  /** Remembered inspections for one catalog, and the longest text that is remembered: about 10 MiB together at worst. */
  inspectCacheEntriesMax: 1_000,
  inspectCacheTextCharactersMax: 2_000,
  /** Statement text a reviewer can be shown in full; longer text cannot be approved. */
  approvalTextBytesMax: 64 * 1024,
  /** Messages buffered up to Sync before the batch is refused. */
  batchMessagesMax: 4_096,
  batchBytesMax: 32 * 1024 * 1024,
  /** Prepared statements and portals per session. */
  preparedStatementsMax: 4_096,
  /** Texts of prepared statements and values of portals that one session may keep. */
  preparedBytesMax: 64 * 1024 * 1024,
  /** From TCP accept to a completed login. */
  loginMs: 15_000,
  /** Refused logins of one gateway: so many at once, then one each `refusalSpacingMs`. */
  refusalBurst: 50,
  refusalSpacingMs: 100,
  upstreamConnectMs: 10_000,
  resourcesMax: 1_000,
  /** Classified columns of one resource, and labels of one column. */
  classificationColumnsMax: 10_000,
  classificationLabelsMax: 16,
  /** Trying a resource, and looking through it for personal data: shorter than a call over the link may take. */
  resourceProbeMs: 8_000,
  /** Looking for personal data: tables and columns looked at, values of a column, characters of a value. */
  proposalTablesMax: 500,
  proposalColumnsMax: 10_000,
  proposalSampleRowsMax: 200,
  proposalSampleCharsMax: 500,
  accountGroupsMax: 100,
  sessionsMax: 2_000,
  sessionsPerSubjectMax: 100,
  /** Longest time an operation may be held, whatever a rule says. */
  holdMsMax: 24 * 60 * 60 * 1000,
  holdsPerSessionMax: 1,
  /** One ledger entry, bytes of its canonical line. */
  entryBytesMax: 16 * 1024,
  /** Evidence kept inside the entry, sealed; longer evidence goes to the blob store. */
  sealedInlineBytesMax: 4 * 1024,
  /** An outcome waits this long for a decision to share its sync with; after a crash in between it is in doubt. */
  ledgerOutcomeLingerMs: 10,
  ledgerQueueEntriesMax: 4_096,
  ledgerQueueBytesMax: 16 * 1024 * 1024,
  /** Recorded output handed to the writer and not durable yet: one batch that is written, and one that waits. */
  ledgerPatientBytesMax: 1536 * 1024,
  ledgerBatchEntriesMax: 512,
  ledgerBatchBytesMax: 1024 * 1024,
  /** With `evidence: buffered`: operations of one ledger that may be released before their records are durable, and for how long. */
  ledgerAheadOperationsMax: 64,
  ledgerAheadMs: 50,
  /** Waiting for room in the ledger's queue before an operation is refused with LEDGER_SLOW. */
  ledgerWaitMs: 2_000,
  /** Waiting until a record is mirrored or witnessed, where a rule asks for it. */
  ledgerReachMs: 5_000,
  /** How often checkpoints are offered to a witness when nobody waits for it, and files compared with the mirror. */
  ledgerWitnessMs: 4_000,
  ledgerAuditMs: 4_000,
  /** Sealed files that one comparison with the mirror looks at; more take several rounds. */
  ledgerAuditFilesMax: 20_000,
  /** Entries of one write-ahead segment (16 bundles), and its bytes. */
  ledgerSegmentEntriesMax: 4_096,
  ledgerSegmentBytesMax: 64 * 1024 * 1024,
  /** Kept back for the outcomes of operations in flight when the disk is full: 1,024 of the largest entries fit four times. */
  ledgerReserveBytes: 64 * 1024 * 1024,
  /** A signer in another process: its answer to one question, one line of its protocol, and how long a log may go on without a signature. */
  signerAnswerMs: 5_000,
  signerLineBytesMax: 64 * 1024,
  signerSilenceMsMax: 15 * 60 * 1000,
  /** Entries without a signature while the signer is away: all of them are in the write-ahead log, which a start reads and holds in memory (about 2.5 GiB). */
  signerUnsignedEntriesMax: 1_000_000,
  /** Less than this share of the disk, or less than so many bytes, is an alarm; how often that is looked at. */
  ledgerSpaceLowShare: 0.1,
  ledgerSpaceLowBytes: 1024 * 1024 * 1024,
  ledgerSpaceLookMs: 10_000,
  /** A mirror that has taken nothing for so long is an alarm; how often that is looked at. */
  ledgerMirrorAlarmMs: 60_000,
  ledgerMirrorLookMs: 10_000,
  /** One file of a ledger that is published elsewhere. */
  ledgerFetchMs: 30_000,
  /** One answer of a place where checkpoints are anchored, and its length. */
  anchorAnswerMs: 15_000,
  anchorAnswerBytesMax: 256 * 1024,
  /** How often new entries are sealed into tiles and signed, and how long a silence may last before it is recorded. */
  ledgerSealMs: 1_000,
  ledgerHeartbeatMs: 60_000,
  /** One chunk of a recording, headers included; it is closed a little earlier, so that its first bytes can be shown while it waits. */
  recordingChunkBytesMax: 64 * 1024,
  recordingChunkBytesClosed: 63 * 1024,
  /** A smaller chunk, sealed, is kept inside its record: it shares the sync of the records around it. */
  recordingInlineBytesMax: 4 * 1024,
  /** Output may be shown this far ahead of its recording, in bytes and in time. Input is never sent on before it is recorded. */
  recordingAheadBytesMax: 64 * 1024,
  recordingAheadMs: 250,
  /** Output of one session that waits for its recording before its source is stopped: the more, the more chunks share a sync. Of all sessions together, beyond which each may have little. */
  recordingHeldBytesMax: 2 * 1024 * 1024,
  recordingHeldBytesTotalMax: 32 * 1024 * 1024,
  /** A chunk that is not full is recorded after this time. */
  recordingFlushMs: 100,
  /** Chunks of one large input that are under way at the same time. */
  recordingInputChunksMax: 16,
  /** Recorded bytes in one answer to a reader. */
  recordingReadBytesMax: 1024 * 1024,
  /** Sealed evidence or one sealed chunk, as it travels to the control plane to be kept there too; and how many in one call. */
  sealedBlobBytesMax: 32 * 1024 * 1024,
  sealedPlacesMax: 64,
  /** Alarms about copies of recordings that could not be made, for each connection of a gateway. */
  copyAlarmsMax: 10,
  /** Difference between the wall clock's and the monotonic clock's progress that is recorded as a step. */
  clockStepMs: 1_000,
  /** One answer to a reader of the ledger. */
  ledgerReadEntriesMax: 1_024,
  ledgerReadBytesMax: 4 * 1024 * 1024,
  /** The last signed bundle is used this long while the control plane is away. */
  bundleStaleMs: 15 * 60 * 1000,
  /** A gateway compiles a new bundle in slices of this length, and lets traffic through between them. */
  compileSliceMs: 2,
  linkFrameBytesMax: 64 * 1024 * 1024,
  /** The first frame of a link, before the other side has proved that it knows the secret. */
  linkHelloBytesMax: 64 * 1024,
  linkHelloMs: 10_000,
  linkCallMs: 10_000,
  /** Calls of one gateway that are answered at the same time; more wait in the socket. */
  linkCallsMax: 256,
  /** How long the activation of a bundle waits for the gateways to put it in force before it answers. */
  policyOfferMs: 5_000,
  /** One statement of the control plane's store. */
  storeStatementMs: 30_000,
  apiBodyBytesMax: 20 * 1024 * 1024,
  apiPageItemsMax: 500,
  /** A checked bearer token is not checked again for this long; a revocation ends it at once. */
  bearerCacheMs: 30_000,
  bearerCacheEntriesMax: 10_000,
  approvalCommentCharsMax: 1_000,
  /** Requests that wait for reviewers at the same time, over all gateways. */
  requestsWaitingMax: 1_000,
  /** Entries of a gateway's ledger that are written to the index in one statement. */
  mirrorBatchEntriesMax: 1_000,
  /** Newest entries that stay in memory as they were read when they were mirrored, so that index and sinks need not read them again. */
  recentBytesMax: 8 * 1024 * 1024,
  /** Entries that one step of the search index takes. */
  searchBatchEntriesMax: 1_000,
  /** One search; a longer one is refused with the advice to narrow it. */
  searchMs: 5_000,
  /** Different normalized texts that are looked up one by one; beyond that the newest records are read and compared. */
  searchTextsMax: 1_000,
  /** As many of them are looked up one by one also when something else is asked for that an index finds. */
  searchTextsEachMax: 20,
  /** A rule or object that occurs more often no longer leads a search by itself. */
  searchTermsRare: 10_000,
  /** How long followers of the mirror wait for word of new entries before they look themselves. */
  /** Between two looks at the gates of rollouts. */
  rolloutLookMs: 5_000,
  followMs: 1_000,
  /** How often the mirror looks for old entries that may go, and how many it looks at in one step (whole bundles of 256). */
  retentionEveryMs: 60 * 60 * 1000,
  retentionStepEntries: 4_096,
  /** How often it is written down how far mirror and sinks are. */
  deliveredEveryMs: 10_000,
  sinksMax: 32,
  /** One delivery to a sink: whichever is reached first. */
  sinkBatchEntriesMax: 1_000,
  sinkBatchBytesMax: 1024 * 1024,
  /** One attempt to deliver, from the first byte sent to the acknowledgement. */
  sinkAttemptMs: 30_000,
  /** The pause after the first failed attempt, and the longest one. */
  sinkRetryMsMin: 500,
  sinkRetryMsMax: 60_000,
  /** Decisions, and sessions, that the sinks remember because entries that follow refer to them; more than a batch holds. */
  sinkRememberedMax: 4_000,
  /** The longest pause that a receiver may ask for (Retry-After). */
  sinkRetryAfterMsMax: 15 * 60 * 1000,
  /** A sink that has failed for so long raises an alarm. */
  sinkAlarmMs: 5 * 60 * 1000,
  /** How often a single event that its receiver refuses for what it is is offered before it is set aside. */
  sinkRefusalsMax: 5,
  /** Events of one sink that are set aside with none taken in between; then it is the receiver and not the events, and the sink waits. */
  sinkSetAsideInRowMax: 10,
  /** Events that were set aside and are offered again in one call. */
  sinkRetryEventsMax: 1_000,
  /** How often `sinks.yaml` is looked at for changes. */
  sinksFileMs: 2_000,
  /** What a receiver may answer. */
  sinkAnswerBytesMax: 1024 * 1024,
  tokenLifetimeMs: 8 * 60 * 60 * 1000,
  tokensPerSubjectMax: 16,
  bundleBytesMax: 16 * 1024 * 1024,
  documentsPerBundleMax: 10_000,
  /** Nesting of one policy document; people do not write deeper ones. */
  documentDepthMax: 64,
  /** Static cost bound of one condition of a policy, in steps: four loops inside each other over lists of the assumed length, which real policies
   *  have. What one evaluation really takes is bounded by `celStepsMax`. */
  conditionCostMax: 10_000_000_000,
  /** Static analysis: states of an automaton looked at for one question, and sets of values whose automata are kept. */
  analysisStatesMax: 4_000,
  analysisTestsKept: 50_000,
  /** Conjunctions one condition of a policy is taken apart into; a larger condition is looked at as a whole. */
  analysisConjunctionsMax: 64,
  /** Questions "is this combination possible" one analysis asks, and those for one rule that several others may cover together. */
  analysisQuestionsMax: 600_000,
  analysisCoverQuestionsMax: 2_000,
  /** Pairs of rules one analysis compares, and findings of one code it tells. */
  analysisPairsMax: 2_000_000,
  analysisFindingsPerCodeMax: 500,
  /** Requests tried to reproduce one finding. */
  analysisWitnessTriesMax: 240,
  /** Mutants of policies that one test file is run against; of more, as many are taken evenly. */
  mutantsPerTestMax: 3_000,
  /** Text of one command over SSH that is read, and how deep commands may stand in commands. */
  shellTextCharactersMax: 64 * 1024,
  shellDepthMax: 16,
  /** Another engine (Rego, OPA): questions at the same time, one answer, a bundle, memory of a compiled policy and of its thread. */
  foreignQuestionsMax: 64,
  /** More questions wait for their turn, no longer than their deadline. */
  foreignWaitingMax: 1_024,
  foreignAnswerBytesMax: 1024 * 1024,
  foreignBundleBytesMax: 64 * 1024 * 1024,
  foreignMemoryBytesMax: 64 * 1024 * 1024,
  foreignThreadHeapMb: 128,
  /** Until a compiled policy is ready to be asked. */
  foreignStartMs: 10_000,
  /** The longest that a document may let a statement wait for an engine, and the longest rest of one that keeps failing. */
  foreignDeadlineMsMax: 5_000,
  foreignPauseMsMax: 60 * 60 * 1000,
  /** Engines of one bundle: each that runs here has a thread of its own. */
  foreignEnginesMax: 16,
  /** One question to an engine, as JSON. */
  foreignQuestionCharsMax: 1024 * 1024,
  /** What an engine answers: nesting, and values in all. */
  foreignAnswerDepthMax: 32,
  foreignAnswerValuesMax: 10_000,
  /** Facts of one batch of operations: all of them together, and questions of one batch under way at the same time. */
  factsMs: 5_000,
  factsQuestionsMax: 8,
  /** An operation that waited longer for its facts is looked at anew before it runs, as after a hold: the database may have changed. */
  factsLongMs: 100,
  /** Subjects whose recent activity one gateway remembers. */
  activitySubjectsMax: 10_000,
  /** Counters of limits that one gateway keeps; when they are all in use, `onStoreError` of the rule says what happens. */
  countersMax: 100_000,
  /** Requests a plan compares two bundles with, for each target and phase; what was left out is said. */
  planCellsMax: 60_000,
  /** Values of one attribute that a plan tries, and statements. */
  planValuesMax: 24,
  planStatementsMax: 400,
  /** Classes of changed requests that a plan tells apart, and values of an attribute that it names for one. */
  planClassesMax: 200,
  /** Recorded decisions that one backtest replays. */
  backtestRecordsMax: 1_000_000,
  /** Combinations of unknown attributes that are tried before a recorded decision counts as not replayable. */
  backtestGuessesMax: 256,
  /** Attributes kept in a record: longer strings, longer lists and bigger values are kept as their digest. */
  readStringCharsMax: 256,
  readListItemsMax: 32,
  readValueCharsMax: 1_024,
  /** All attributes of one record together; what comes after is kept as digests. */
  readsCharsMax: 6 * 1024,
  /** Sets of rules that matched together, for which a bundle remembers what they read. */
  readersKeptMax: 1_000,
  /** One CEL expression; longer ones cannot be reviewed. */
  celSourceCharsMax: 4_096,
  /** One pattern of `matches`; RE2 time grows with it. */
  celPatternCharsMax: 1_000,
  /** Nesting of one CEL expression (the CEL specification asks for at least 32 of most kinds). */
  celDepthMax: 160,
  /** Depth of the tree of one CEL expression: `a && b && c` and `a.b.c` are trees of depth 3. */
  celTreeDepthMax: 600,
  /** Static cost bound of one CEL expression, in steps. */
  celCostMax: 10_000_000,
  /** Steps one evaluation may really take: passes through macro bodies and elements compared or copied. */
  celStepsMax: 1_000_000,
  /** Size the static cost assumes for a list or map that only the request knows. */
  celListItemsAssumed: 100,
  /** Size the static cost assumes for a string that only the request knows. */
  celStringCharsAssumed: 1_000,
  /** Elements a function such as `lists.range` may make. */
  celResultItemsMax: 100_000,
  /** Characters a function such as `replace` or `join` may make. */
  celResultCharsMax: 4 * 1024 * 1024,
} as const;
