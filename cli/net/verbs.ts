/** The verbs of `reprise net`. Loads none of their code. */
import type { Option, Verb } from '../command.ts';
import { NET_WORDS, TRACE_WORDS } from './words.ts';

const DIR: Option = { flags: '--dir <folder>', about: 'The folder of the network (default: .reprise/net)' };
const JSON_OUT: Option = { flags: '--json', about: 'Print JSON with stable fields' };
const ALL = [DIR, JSON_OUT];
const NAME: Option = { flags: '--name <name>', about: 'Name of this node, for others (default: the name of this machine)' };
const LISTEN: Option = {
  flags: '--listen <host:port>',
  about: 'Take UDP at this address of this machine, as 0.0.0.0:7337 or [::]:7337. May be repeated',
};
const ENDPOINT: Option = {
  flags: '--endpoint <host:port>',
  about: 'Others reach it there (default: at its own addresses). May be repeated',
};
const CHANNEL: Option = { flags: '--channel <name>', about: 'The channel (default: text)' };
const RUN = [
  ...ALL,
  LISTEN,
  { flags: '--ws <host:port>', about: 'Take the same packets over WebSocket there, for those who have no UDP' },
  { flags: '--tls-cert <file>', about: 'Certificate chain in PEM: then it is wss' },
  { flags: '--tls-key <file>', about: 'Its private key in PEM' },
];

export const NET_VERBS: readonly Verb[] = [
  {
    name: 'init',
    args: '<name>',
    about: 'Make a network, with this machine as its first node, relay and authority',
    options: [
      ...ALL,
      NAME,
      LISTEN,
      ENDPOINT,
      { flags: '--pinned', about: 'Without an authority: each node lists the keys of the others (`net add`)' },
    ],
    examples: ['reprise net init home', 'reprise net init home --name hub --endpoint hub.example.org:7337'],
    load: () => import('../verbs/net/init.ts'),
  },
  {
    name: 'id',
    about: 'Print who this node is: address, key, fingerprint, network, certificate',
    options: ALL,
    load: () => import('../verbs/net/id.ts'),
  },
  {
    name: 'invite',
    about: 'Print a line that lets one machine join, once, within ten minutes. It is a secret until it is used',
    options: [
      ...ALL,
      { flags: '--role <role>', about: 'Besides node: relay. May be repeated' },
      ENDPOINT,
      { flags: '--cancel', about: 'Make none; those that nobody has used yet let nobody in any more' },
    ],
    examples: ['reprise net invite', 'reprise net invite --role relay', 'reprise net invite --cancel'],
    load: () => import('../verbs/net/invite.ts'),
  },
  {
    name: 'join',
    args: '<invite>',
    about: 'Join a network by an invite; `-` reads it from stdin',
    options: [...ALL, NAME],
    examples: ['reprise net join reprise-invite-1.…', 'ssh hub reprise net invite | reprise net join -'],
    load: () => import('../verbs/net/join.ts'),
  },
  {
    name: 'up',
    about: 'Run the node until it is stopped. With the role relay and a port of its own it relays, too',
    options: RUN,
    words: NET_WORDS,
    load: () => import('../verbs/net/up.ts'),
  },
  {
    name: 'relay',
    about: 'As `up`, and say what is in the way where this node cannot relay',
    options: RUN,
    examples: ['reprise net relay --listen 0.0.0.0:7337 --ws 0.0.0.0:443 --tls-cert chain.pem --tls-key key.pem'],
    load: () => import('../verbs/net/up.ts').then((m) => ({ run: m.relay })),
  },
  {
    name: 'peers',
    about: 'List the other nodes: path, round trip, loss; and which packets were dropped, and why',
    options: ALL,
    words: NET_WORDS,
    load: () => import('../verbs/net/peers.ts'),
  },
  {
    name: 'ping',
    args: '<peer>',
    about: 'How long a round trip to a node takes, and on which path',
    options: [...ALL, { flags: '-c, --count <n>', about: 'So many (default: 4)' }],
    examples: ['reprise net ping hub', 'reprise net ping 0A1B.2C3D.4E5F -c 1'],
    load: () => import('../verbs/net/ping.ts'),
  },
  {
    name: 'trace',
    args: '<peer>',
    about: 'Show all paths to a node: which is used, which were tried, and why not another',
    options: ALL,
    words: [...NET_WORDS, ...TRACE_WORDS],
    load: () => import('../verbs/net/trace.ts'),
  },
  {
    name: 'send',
    args: '<peer> <text>',
    about: 'Send a message, or with `-` what stdin has; says so when the node of the peer has it',
    options: [...ALL, CHANNEL],
    examples: ['reprise net send hub hello', 'date | reprise net send hub -'],
    load: () => import('../verbs/net/send.ts'),
  },
  {
    name: 'listen',
    about: 'Print messages as they come, a line each, until Ctrl-C',
    options: [...ALL, CHANNEL],
    load: () => import('../verbs/net/listen.ts'),
  },
  {
    name: 'serve-mcp',
    args: '<name> [...command]',
    about: 'Serve an MCP server to the other nodes, until Ctrl-C: the command is run for each client',
    options: [
      ...ALL,
      { flags: '--allow <node>', about: 'Only for this node: its name or its key. May be repeated (default: all members)' },
      { flags: '--sessions <n>', about: 'Clients at one time (default: 16)' },
    ],
    examples: ['reprise net serve-mcp files --allow laptop -- npx -y @modelcontextprotocol/server-filesystem ~/notes'],
    load: () => import('../verbs/net/serve-mcp.ts'),
  },
  {
    name: 'connect-mcp',
    args: '<name>',
    about: 'Be the stdio server of an MCP client, for a server that another node serves: NAME, or NODE/NAME',
    options: [
      DIR,
      {
        flags: '--print-config',
        about: 'Print what a configuration of an MCP client needs, with whole paths, and connect to nothing',
      },
    ],
    examples: [
      'reprise net connect-mcp files',
      'reprise net connect-mcp nas/files',
      'reprise net connect-mcp files --print-config',
    ],
    load: () => import('../verbs/net/connect-mcp.ts'),
  },
  {
    name: 'add',
    args: '<key>',
    about: 'Make the key of a node known here, and where it is. In a network without an authority: let it in',
    options: [...ALL, { flags: '--name <name>', about: 'Its name' }, { flags: '--relay', about: 'It is a relay' }, ENDPOINT],
    examples: ['reprise net add 5f0c… --name nas --endpoint 192.168.1.7:7337'],
    load: () => import('../verbs/net/add.ts'),
  },
  {
    name: 'revoke',
    args: '<peer>',
    about: 'Shut a node out, by its name, address or key: for good where the network has an authority',
    options: ALL,
    load: () => import('../verbs/net/revoke.ts'),
  },
  {
    name: 'doctor',
    about: 'Say in words what works, why each path is what it is, and what to do',
    options: ALL,
    load: () => import('../verbs/net/doctor.ts'),
  },
];
