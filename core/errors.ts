/**
 * The one error class and the one table of codes.
 *
 * A code is a promise: `docs/errors.md` documents each, and `test/unit/errors.test.ts` holds table, page and use together.
 * Programmer errors are assertions (`assert`), never codes.
 */

/** One row of the table. `retryable` is a property of the code: effects retry on it, supervisors never look at it. */
export interface CodeRow {
  readonly meaning: string;
  readonly cure: string;
  readonly retryable: boolean;
}

const row = (meaning: string, cure: string, retryable = false): CodeRow => ({ meaning, cure, retryable });

export const CODES = {
  ACTOR_NOT_FOUND: row(
    'Nothing in the mesh declares this address.',
    'Check the spelling; the message lists the known names, `reprise ps --all` every actor that has a log.',
  ),
  ACTOR_PARKED: row(
    'The actor is parked and waits for a person.',
    'NOTE of `reprise ps` says why. When the cause is mended, or lay outside: `reprise unpark ACTOR`. When its code was changed and no longer fits its log: undo the edit (then start again, unless `reprise up --watch` runs: it sees that by itself), or choose `reprise migrate ACTOR`, `reprise fork ACTOR` or `reprise reset ACTOR`. After a `kill -9` `migrate` and `reset` need `--old FILE`, the code that wrote its log.',
  ),
  ACTOR_STOPPED: row(
    'The actor has finished and takes no more events.',
    'Start a new one under another key, or begin it anew: `reprise restart ACTOR` where a supervisor has it, else `reprise reset ACTOR`.',
  ),
  ADDRESS_INVALID: row('The text is no actor address.', 'Use segments of letters, digits and ._~%+=- joined by `/`.'),
  ARCHIVE_EXISTS: row(
    'A log of this actor was imported under this name before.',
    'Choose another name: `reprise import FILE --as NAME`.',
  ),
  ARCHIVE_INVALID: row(
    'The file to be imported is no export of logs, or was cut or changed.',
    'Get it again from where `reprise export` wrote it; nothing was imported.',
  ),
  ASK_CYCLE: row('An ask would wait for an actor that waits for it.', 'Send instead of asking on one side of the cycle.'),
  ASK_IGNORED: row(
    'The asked actor took the question and did nothing: no reply will come.',
    'Check the type of the event, the state of the actor and its guards; `reprise replay ACTOR` shows what became of it.',
  ),
  ASK_TIMEOUT: row(
    'No reply came before the deadline.',
    'If it took the question, `reprise replay ACTOR` shows what it did with it: a chart replies with `sendTo` to `event.replyTo`. If it only needs longer, raise `timeoutMs` (`reprise ask --timeout MS`). If it has not taken it, `reprise ps` says why.',
    true,
  ),
  BACKUP_FAILED: row(
    'The copy of the store could not be written. The store is as it was.',
    'See the cause: make room, or name another place; then `reprise backup FILE` again.',
  ),
  BUSY: row(
    'The actor takes no more messages from outside for now.',
    'Send again later under the same id (`reprise send --id ID`).',
    true,
  ),
  CHECKPOINT_INCOMPATIBLE: row(
    'A checkpoint does not fit the machine that should take it up.',
    'Undo the edit (then start again, unless `reprise up --watch` runs: it sees that by itself), or choose `reprise migrate ACTOR`, `reprise fork ACTOR` or `reprise reset ACTOR`. After a `kill -9` `migrate` and `reset` need `--old FILE`, the code that wrote its log.',
  ),
  CHILD_SNAPSHOT_READ: row(
    'A machine read the snapshot of a child that is an actor of its own.',
    'Let the child send what the parent needs, or use `onSnapshot`.',
  ),
  CLOCK_SKEW: row(
    'The clock of this node differs from the store by more than 30 s.',
    'Synchronise the clock (`reprise doctor` holds it against the records); until then the node claims nothing.',
  ),
  CODEC_FAILED: row(
    'Bytes could not be decoded.',
    'Find who sent them, and whether both sides run the same version. Nothing is lost: the sender keeps the message and sends it again.',
  ),
  CONFIG_INVALID: row(
    'The mesh file is wrong.',
    'Mend the line that the message names; `reprise config schema` prints the schema.',
  ),
  CONTEXT_FOREIGN_REF: row(
    'Context holds a reference to an actor that is not a child of this one.',
    'Keep the address (`ref.id`) and send with `system.get(address)`.',
  ),
  CONTEXT_NOT_PLAIN: row(
    'Context holds something that JSON cannot give back.',
    'Keep plain data in context; the message names the path.',
  ),
  CONTROL_UNSAFE: row(
    'Others could stand in for the control socket of this mesh.',
    'Take the right to write from others (`chmod o-w FOLDER`), or keep the store in a folder of your own.',
  ),
  DIRECTORY_UNAVAILABLE: row(
    'The directory of sessions and claims fails or does not answer.',
    'See the cause. The node asks again by itself; until a renewal succeeds it starts no effect and takes no shard.',
    true,
  ),
  EFFECT_IN_DOUBT: row(
    'A call was under way when its process died, and nobody knows whether it took effect.',
    'Look at the other system, then decide: `reprise resolve EFFECT --output JSON` when it took effect, `--retry` or `--fail` when it did not.',
  ),
  EVENT_NOT_PLAIN: row(
    'An event, an input or an output holds something that JSON cannot carry.',
    'Hand over plain data; the message names the path.',
  ),
  EVENT_REJECTED: row(
    'The actor does not take this event, or not from this sender.',
    'Types that begin with `xstate.` or `reprise.` are reserved; others must pass the schema of the actor.',
  ),
  FOLLOWER_READ_ONLY: row('This process does not own the store and may only read it.', 'Send the command to the running mesh.'),
  HORIZON_CHANGED: row(
    'The store was made with another horizon.',
    'Set `horizon:` in the mesh file to what the message names; it is stored with the mesh. For another one, begin a new store.',
  ),
  INLINE_LOGIC: row(
    'Inline logic was spawned, which no log can name.',
    'Name it in `setup({ actors })` and spawn it by that name.',
  ),
  INTERNAL: row('Reprise broke a promise to itself.', 'Please report it with the log; `reprise export` writes one.'),
  LINT_FAILED: row(
    'The machine breaks a rule that its log depends on.',
    'Each finding names its path and its cure; `reprise config validate` looks again without running anything.',
  ),
  LISTENER_BY_HAND: row(
    'A machine listens to an actor by hand (`subscribe`, `on`, `waitFor`, `toPromise`).',
    'Use `onSnapshot` or `syncSnapshot`, or let that actor send what is needed.',
  ),
  LOGIC_NOT_FOUND: row('No actor logic of this name is registered.', 'Check the spelling; the message lists the known names.'),
  MCP_FAILED: row(
    'The MCP server could not be reached or broke off.',
    'See `reprise logs tools/NAME`; the gateway restarts it with backoff.',
    true,
  ),
  MESH_NOT_RUNNING: row('The command needs a running mesh, and none answers.', 'Start it with `reprise up`, then call again.'),
  MESH_UNRESPONSIVE: row(
    'The mesh runs, and does not answer.',
    'A busy one answers later. A stopped one goes on with `kill -CONT PID`, or ends with `kill -9 PID`: then run `reprise up`; nothing that was acknowledged is lost.',
    true,
  ),
  MODEL_FAILED: row(
    'The model answered with an error.',
    'See the cause, and `reprise doctor`, which asks each model; calls are retried when the provider says that it is transient.',
    true,
  ),
  MODEL_TIMEOUT: row('A model did not answer before its deadline.', 'Raise `timeoutMs`, or handle it in `onError`.', true),
  NET_ADDRESS_INVALID: row(
    'The text is no address of a node in the overlay.',
    'Copy it whole: three groups of four hex digits, as `0A1B.2C3D.4E5F`.',
  ),
  NET_ADDRESS_CONFLICT: row(
    'Two keys of the network have this address, or claim this name.',
    'Say which one you mean by its key, of 64 hex digits: the message has them.',
  ),
  NET_AUTHORITY_INVALID: row(
    'The key may not do this for the network: it is no CA key, or its certificate does not hold or does not allow it.',
    'Do it where a CA key of the network is: on the machine, and in the folder, where the network was made (`ca.pem` is there). Or let its holder certify this key again with the roles that it needs. If the certificate has expired, look at the clock first.',
  ),
  NET_BACKPRESSURE: row(
    'Too much waits for this peer already.',
    'Send again when the connection says that it is writable; nothing that was accepted is dropped.',
    true,
  ),
  NET_CERTIFICATE_INVALID: row(
    'The certificate by which this node is known in its network does not hold.',
    'The message says why. If it has expired or is not valid yet, look at the clock of this machine; else ask for an invite (`reprise net invite`, where the network was made) and join again in the same folder. A node whose key was revoked needs a new folder, too.',
  ),
  NET_CHANNEL_REFUSED: row(
    'The channel cannot be opened to this peer.',
    'Use one way of delivery for each channel, a name of at most 512 bytes, and no more channels than the message names.',
  ),
  NET_CLOSED: row('The association with the peer is closed.', 'Send again over the next one.', true),
  NET_FOLDER_BUSY: row(
    'Another process uses this network folder.',
    'If the other process is the node, it runs already: `reprise net peers`, `reprise net send` and the others work beside it. To run it with other options stop it first (Ctrl-C where it runs, or `kill PID`). If a command was just at work, call again.',
  ),
  NET_FOLDER_EXISTS: row(
    'The network folder is of a network already.',
    'A folder is one node of one network. For another one name another folder with `--dir FOLDER`; `reprise net id` says which one this is.',
  ),
  NET_FOLDER_INVALID: row(
    'A file of the network folder is damaged or of something else, or others may write in the folder.',
    'Mend what the message names, or restore it from a copy; nothing was changed. `config.json` may be edited by hand, the other files may not. A `deny-lists.json` that is damaged may be deleted: it comes back from the other nodes while `reprise net up` runs. `network.bin` and `certificate.bin` are written anew by `reprise net join INVITE`, with a new invite.',
  ),
  NET_FOLDER_MISSING: row(
    'There is no network in this folder.',
    'Make one with `reprise net init NAME`, or join one with `reprise net join INVITE`. If it lies elsewhere, name it with `--dir FOLDER`.',
  ),
  NET_FOLDER_UNAVAILABLE: row(
    'The network folder, or a file in it, could not be read or written.',
    'See the cause: mend the permissions, make room, or name another folder with `--dir FOLDER`.',
  ),
  NET_INVITE_EXPIRED: row(
    'The invite has expired: they are good for ten minutes.',
    'Ask for a new one (`reprise net invite`, where the network was made) and use it at once. If it was just made, the clock of this machine is wrong.',
  ),
  NET_INVITE_INVALID: row(
    'The text is no invite, or was cut or changed.',
    'Copy the line whole, from `reprise-invite-` to its end; or ask for a new one (`reprise net invite`, where the network was made).',
  ),
  NET_JOIN_REFUSED: row(
    'The network did not take this node in, or its answer does not hold.',
    'The message says why. An invite is good once, for the first key that uses it: ask for a new one (`reprise net invite`, where the network was made). Nothing was kept of the answer.',
  ),
  NET_KEY_EXISTS: row(
    'A key file was to be made where one is.',
    'Keep that one: it is the identity of this node. For another identity name another file.',
  ),
  NET_KEY_EXPOSED: row(
    'Others than its owner may use the key file.',
    '`chmod 600 FILE` if nobody else has read it. Else they may have it, too. An `identity.pem`: delete it, `reprise net join INVITE`, with a new invite, and have the old key revoked (`reprise net revoke PEER`, where the network was made). A `ca.pem` cannot be revoked: make a new network, in another folder.',
  ),
  NET_KEY_INVALID: row(
    'The key file holds no key that a node may have.',
    'Name the right file, or restore it from a copy. Only Reprise makes such files: of keys made by other programs half are of no use, for a member must have a public key whose sign bit is clear.',
  ),
  NET_KEY_MISSING: row(
    'There is no key file at this path.',
    'Restore the file from a copy. Without one `reprise net join INVITE`, with a new invite, makes another node of this machine; have the old one revoked (`reprise net revoke PEER`, where the network was made), and its name is free. Of the node that has made the network there is no other: make a new network, in another folder.',
  ),
  NET_KEY_REVOKED: row(
    'The key was revoked in this network, for good.',
    'Its node joins again with a new key: `reprise net join INVITE --dir FOLDER` there, with a new invite and a new folder.',
  ),
  NET_KEY_UNAVAILABLE: row(
    'The key file could not be read or written.',
    'See the cause: mend the permissions, make the folder, or choose a file system that knows modes and hard links.',
  ),
  NET_NAME_TAKEN: row(
    'Another node of the network has this name.',
    'Choose another name (`--name NAME`). It is free again when the key of that node was revoked.',
  ),
  NET_MCP_AMBIGUOUS: row(
    'More than one node serves an MCP server of this name.',
    'Name the node as well: `reprise net connect-mcp NODE/NAME`; the message lists them.',
  ),
  NET_MCP_BUSY: row(
    'There is no room for another session with this MCP server.',
    'Connect again when a client has gone, or let more in where it is served: with `--sessions` of `serve-mcp`.',
    true,
  ),
  NET_MCP_ENDED: row(
    'The session with an MCP server of another node is over.',
    'See the message, and connect again. Whether a call that was under way took effect is not known.',
    true,
  ),
  NET_MCP_REFUSED: row(
    'The node serves this MCP server, but not to this one.',
    'Ask its holder to let this node in, by its name: with `--allow` of `serve-mcp`.',
  ),
  NET_MCP_TAKEN: row('An MCP server is served under this name on this node already.', 'Stop that one, or choose another name.'),
  NET_MCP_UNKNOWN: row(
    'No MCP server of this name is served to this node.',
    'Check the spelling, and that the node which serves it runs and knows this one; the message says who was asked, and who has not answered.',
  ),
  NET_NAME_UNKNOWN: row(
    'No relay knows a node of this name, address or key, and nothing is configured for it.',
    'See that it runs over there, and by the same relays: `reprise net doctor` says here whether they answer, `reprise net peers` who is known.',
    true,
  ),
  NET_NETWORK_INVALID: row(
    'The descriptor of a network, its file or its options, is wrong.',
    'Mend what the message names. A descriptor file is never edited, since its bytes are the identity of the network: `reprise net join INVITE`, with a new invite, writes it anew, and it is the same file on all nodes, so that a copy of another one does.',
  ),
  NET_NOT_RUNNING: row(
    'The command needs the node of this network folder to run, and it does not.',
    'Start it with `reprise net up` in another terminal, then call again.',
  ),
  NET_PEER_REFUSED: row(
    'The peer answered, but this node does not let it in.',
    'See the reason in the message: its certificate may have run out or its key may be revoked, or it has to be pinned here (`reprise net add KEY`).',
  ),
  NET_PEER_UNREACHABLE: row(
    'The peer did not answer on any path within 10 s.',
    'See that it runs and that UDP reaches it: `reprise net doctor` says what is in the way here, `reprise net trace PEER` where it is looked for. One that does not let this node in is silent, too.',
    true,
  ),
  NET_PEER_RESTARTED: row(
    'The peer has started again: what was under way to it may not have arrived.',
    'Send again. What has to arrive once belongs into a mailbox, which sees to that by itself.',
    true,
  ),
  NET_UNDELIVERED: row(
    'The message was given up: the peer is there and takes no more on this channel, or its sender has reset the channel. The peer may have it.',
    'See there what keeps it from taking its messages; send again later.',
    true,
  ),
  NET_UNRESPONSIVE: row(
    'The node of this network folder runs, and does not answer.',
    'A busy one answers later. A stopped one goes on with `kill -CONT PID`, or ends with `kill -9 PID`: then run `reprise net up`.',
    true,
  ),
  NODE_STOPPING: row('The node is stopping and takes nothing new.', 'Send again; another node or the next run takes it.', true),
  NOT_OWNER: row('This node no longer owns the actor.', 'Nothing: the owner goes on.', true),
  OUTSIDE_MESH: row(
    'Actor logic that needs a mesh was run in plain XState.',
    'Run the machine with `startMesh` or `reprise up`; in a unit test `provide()` a stand-in.',
  ),
  OUTBOX_FULL: row(
    'The actor has more unacknowledged sends than it may keep.',
    'Find the receiver that takes nothing with `reprise ps` and mend that; then `reprise unpark ACTOR`.',
  ),
  PAYLOAD_TOO_LARGE: row('A message is larger than the limit.', 'Put the document in a blob or a file and send its name.'),
  PEER_DEPENDENCY_MISSING: row('An optional package is not installed.', 'Install what the message names.'),
  REPLAY_DIVERGED: row(
    'The code does not do what it did when the log was written.',
    '`reprise replay ACTOR` shows the difference. Undo the edit (then start again, unless `reprise up --watch` runs: it sees that by itself), or choose `reprise migrate ACTOR`, `reprise fork ACTOR` or `reprise reset ACTOR`. After a `kill -9` `migrate` and `reset` need `--old FILE`, the code that wrote its log.',
  ),
  SECRET_MISSING: row(
    'A referenced secret is not there.',
    'Set the environment variable (`--env-file FILE` reads them from a file) or write the file that the message names.',
  ),
  SHARD_COUNT_CHANGED: row(
    'The store was made with another number of shards.',
    'Set `shards:` in the mesh file to the number that the message names; it is stored with the mesh.',
  ),
  SIGNATURE_INVALID: row(
    'Exported logs are not what their signature says, or not signed by whom they should be.',
    'Get the file again from where it was exported; nothing was imported.',
  ),
  STEP_BUDGET: row(
    'One step raised more events or effects than the budget allows.',
    'Look for a loop of `raise`, `always` or a `sendTo` whose target is undefined.',
  ),
  STEP_FAILED: row(
    'The machine threw on this event.',
    'See the error; the event is tried three times and then becomes a dead letter. When the machine is mended, `reprise deadletters resend ACTOR SEQ` sends it again.',
  ),
  STORE_CONFLICT: row('The stream has moved on: another owner wrote it.', 'Nothing: this node stops that actor.'),
  STORE_CORRUPT: row(
    'The store file is torn or was changed by something else.',
    'Nothing was written. If the message says more, do that first. To restore a copy that `reprise backup` made: stop the mesh, move the store file away together with its `-wal` and `-shm` and keep them, put the copy in its place, `reprise up`. The `.lock` and `.owner` beside it stay: they hold nothing of the store, and the next run takes them over. Of a store that still opens, `reprise doctor` says what is damaged, and `reprise export ACTOR` writes a log that is not.',
  ),
  STORE_DETACHED: row(
    'A file of the store was removed, moved or replaced while its process had it open.',
    'Do what the message says before that process ends; nothing that came since was acknowledged.',
  ),
  STORE_FULL: row(
    'The disk is full.',
    'Free room (`reprise prune` removes what is over); what was not stored was not acknowledged and is sent again.',
    true,
  ),
  STORE_LOCKED: row(
    'Another process owns this store.',
    'If that is this mesh, it runs already: `reprise ps`, `logs`, `send`, `ask`, `state` and `replay` work beside it. To start it anew, stop it first: Ctrl-C where it runs, or `kill PID`.',
  ),
  STORE_MISSING: row('There is no store at this path.', 'Run `reprise up` once, or mend `store:` in the mesh file.'),
  STORE_NEWER: row('The store was written by a newer version.', 'Update Reprise; nothing was changed.'),
  STORE_OWNER_FROZEN: row(
    'The process that owns the store does not move.',
    'Let the process that the message names go on with `kill -CONT PID`, or end it with `kill -9 PID`; nothing that was acknowledged is lost.',
  ),
  STORE_READ_ONLY: row('The store file cannot be written.', 'Mend its permissions.'),
  STORE_UNAVAILABLE: row('The store did not answer.', 'It is asked again; see the cause.', true),
  SUPERVISOR_GAVE_UP: row(
    'A supervisor spent its restart budget, or could not start a child, and escalates.',
    '`reprise tree` shows it, `reprise replay SUPERVISOR` the reasons. Mend the cause; what its own supervisor has not started again by then, `reprise restart SUPERVISOR` does, and the next `reprise up` if it is the root.',
  ),
  TOOL_FAILED: row(
    'A tool answered with an error.',
    'See the cause, and `reprise logs tools/NAME`; the chart handles it in `onError`.',
  ),
  TOOL_TIMEOUT: row('A tool did not answer before its deadline.', 'Raise `timeoutMs`, or handle it in `onError`.', true),
  TRANSPORT_UNAVAILABLE: row(
    'The link could not be started.',
    'Mend what the message names. If a port or an address is in use, stop the process that has it (`ss -lnup` and `ss -lntp` list them), or name another one.',
    true,
  ),
  USAGE: row('The command was called wrongly.', 'See `reprise help` and `reprise VERB --help`.'),
} as const satisfies Record<string, CodeRow>;

export type ErrorCode = keyof typeof CODES;

/** What crosses the wire and stands in logs: never a stack. */
export interface ErrorData {
  readonly name: string;
  readonly message: string;
  readonly code?: ErrorCode;
  readonly data?: unknown;
  readonly cause?: ErrorData;
}

const BRAND = Symbol.for('reprise.error');

export class MeshError extends Error {
  readonly [BRAND] = true;
  readonly code: ErrorCode;
  readonly data: unknown;

  constructor(code: ErrorCode, message: string, options: { readonly data?: unknown; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'MeshError';
    this.code = code;
    this.data = options.data;
  }

  get retryable(): boolean {
    return CODES[this.code].retryable;
  }
}

/** Holds over two copies of the package, where `instanceof` does not. */
export function isMeshError<C extends ErrorCode>(error: unknown, code?: C): error is MeshError & { code: C } {
  return (
    typeof error === 'object' && error !== null && BRAND in error && (code === undefined || (error as MeshError).code === code)
  );
}

/** Any thrown value as data that JSON keeps. */
export function errorData(error: unknown): ErrorData {
  if (typeof error === 'object' && error !== null && 'message' in error) {
    const e = error as { name?: unknown; message: unknown; code?: unknown; data?: unknown; cause?: unknown };
    return {
      name: typeof e.name === 'string' ? e.name : 'Error',
      message: String(e.message),
      ...(typeof e.code === 'string' && e.code in CODES && { code: e.code as ErrorCode }),
      ...(e.data !== undefined && { data: e.data }),
      ...(e.cause !== undefined && { cause: errorData(e.cause) }),
    };
  }
  return { name: 'Error', message: typeof error === 'string' ? error : (JSON.stringify(error) ?? String(error)) };
}

/** The way back: an error that callers can catch by its code. */
export function errorFrom(data: ErrorData): Error {
  if (data.code !== undefined) return new MeshError(data.code, data.message, { data: data.data });
  const error = new Error(data.message);
  error.name = data.name;
  return error;
}

/** For what only a bug of ours can break. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new MeshError('INTERNAL', message);
}
