/**
 * From what was typed to an exit code: finds the verb, loads its code, and turns what it throws into a message and an exit code. cac knows the grammar
 * and prints the help; values are read by `parseArgs`, because cac makes numbers of texts that look like one (an id, a name).
 */
import { parseArgs } from 'node:util';
import { cac, type CAC } from 'cac';
import { suggest } from '../core/config/problems.ts';
import { errorData, MeshError } from '../core/errors.ts';
import { Call, type Group, type Verb } from './command.ts';
import { EXIT, exitCodeOf } from './exit.ts';
import { tell } from './failure.ts';
import { Invocation } from './invocation.ts';
import { type Io, saying } from './io.ts';
import { GROUPS, VERBS } from './verbs.ts';

/** The verbs among which the next word chooses, and what was typed before it. */
interface Level {
  readonly typed: string;
  readonly verbs: readonly Verb[];
  readonly groups: readonly Group[];
}
const TOP: Level = { typed: '', verbs: VERBS, groups: GROUPS };

/** Resolves with the exit code; never rejects. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const isJson = ownOf(argv).includes('--json');
  const reprise = new Invocation(io.env, valueIn(argv, 'file', argv[0] === 'logs' ? undefined : 'f'), valueIn(argv, 'dir'));
  const verb = verbOf(argv);
  try {
    return await dispatch(argv, isJson ? io : saying(io, (line) => reprise.text(line)), reprise);
  } catch (error) {
    const { actor } = Object(errorData(error).data) as { readonly actor?: unknown };
    const named = typeof actor === 'string' ? actor : undefined;
    tell(error, io, { isJson, verb, words: (text) => reprise.text(text, named) });
    return exitCodeOf(error);
  }
}

/** What was called, as far as there is such a thing. */
function verbOf([word, ...rest]: readonly string[]): Verb | undefined {
  const group = GROUPS.find(({ name }) => name === word);
  return group === undefined ? VERBS.find(({ name }) => name === word) : group.verbs.find(({ name }) => name === rest[0]);
}

/** What was typed to Reprise: what follows `--` is for another command. */
const ownOf = (argv: readonly string[]): readonly string[] => (argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv);

/** The mesh file, or the folder of a network, that was typed, whatever else was. */
function valueIn([, ...args]: readonly string[], name: string, short?: string): string | undefined {
  const option = { type: 'string', ...(short !== undefined && { short }) } as const;
  const { values } = parseArgs({ args, options: { [name]: option }, strict: false, allowPositionals: true });
  const value = values[name];
  return typeof value === 'string' ? value : undefined;
}

async function dispatch(argv: readonly string[], io: Io, reprise: Invocation): Promise<number> {
  const [word, ...rest] = argv;
  if (word === '-v' || word === '--version') {
    const { default: manifest } = await import('reprise/package.json', { with: { type: 'json' } });
    io.out(manifest.version);
    return EXIT.ok;
  }
  const group = GROUPS.find(({ name }) => name === word);
  return group === undefined
    ? perform(argv, io, reprise, TOP)
    : perform(rest, io, reprise, { typed: `${group.name} `, verbs: group.verbs, groups: [] });
}

async function perform(argv: readonly string[], io: Io, reprise: Invocation, level: Level): Promise<number> {
  const [word] = argv;
  const cli = grammar(reprise, level);
  if (word === undefined || word === 'help' || word === '-h' || word === '--help') {
    cli.outputHelp();
    return word === undefined ? EXIT.usage : EXIT.ok;
  }
  const verb = level.verbs.find((v) => v.name === word);
  if (verb === undefined) {
    const known = [...level.verbs, ...level.groups].map(({ name }) => name);
    throw new MeshError('USAGE', `unknown command '${level.typed}${word}'${suggest(word, known)}`);
  }
  // `-` alone is an argument (stdin), and no option as cac takes it for.
  cli.parse(['node', 'reprise', ...argv.map((word) => (word === '-' ? 'stdin' : word))], { run: false });
  if (cli.options['help'] === true) return EXIT.ok;
  const command = cli.matchedCommand;
  if (command === undefined) throw new MeshError('INTERNAL', `'${word}' is in the table and not in the grammar`);
  try {
    command.checkRequiredArgs();
    command.checkUnusedArgs();
  } catch (error) {
    throw new MeshError('USAGE', `${errorData(error).message}; see \`reprise ${level.typed}${word} --help\``);
  }
  const loaded = await verb.load();
  return (await loaded.run(callOf(verb, argv.slice(1), io, level))) ?? EXIT.ok;
}

function grammar(reprise: Invocation, { typed, verbs, groups }: Level): CAC {
  const { program } = reprise;
  const cli = cac(`${program} ${typed}`.trimEnd());
  for (const { name, about } of groups) cli.command(`${name} <verb>`, about);
  for (const verb of verbs) {
    const command = cli.command(`${verb.name}${verb.args === undefined ? '' : ` ${verb.args}`}`, verb.about);
    for (const { flags, about } of verb.options ?? []) command.option(flags, about);
    for (const example of verb.examples ?? []) command.example(example.replace(/^reprise /, `${program} `));
  }
  cli.help((sections) => {
    const words = verbs.find((v) => v.name === cli.matchedCommandName)?.words ?? [];
    if (words.length > 0) sections.push({ title: 'Words', body: reprise.text(wordLines(words).join('\n')) });
  });
  return cli;
}

function wordLines(words: NonNullable<Verb['words']>): string[] {
  const width = Math.max(...words.map(([word]) => word.length));
  return words.map(([word, meaning]) => `  ${word.padEnd(width)}  ${meaning}`);
}

const FLAGS = /^(?:-(\w), )?--([\w-]+)( <.+>)?$/;

function callOf(verb: Verb, argv: readonly string[], io: Io, { typed }: Level): Call {
  const options: Record<string, { type: 'string' | 'boolean'; short?: string; multiple: true }> = {};
  for (const { flags } of verb.options ?? []) {
    const [, short, name = '', value] = FLAGS.exec(flags) ?? [];
    options[name] = { type: value === undefined ? 'boolean' : 'string', multiple: true, ...(short !== undefined && { short }) };
  }
  const parsed = parsedBy(argv, options, `${typed}${verb.name}`);
  const given = new Map<string, readonly string[]>();
  for (const [name, values] of Object.entries(parsed.values))
    given.set(
      name,
      (values as (string | boolean)[]).map((v) => (typeof v === 'string' ? v : '')),
    );
  return new Call(io, parsed.positionals, given);
}

function parsedBy(
  argv: readonly string[],
  options: NonNullable<Parameters<typeof parseArgs>[0]>['options'] & object,
  verb: string,
) {
  try {
    return parseArgs({ args: [...argv], options, allowPositionals: true });
  } catch (error) {
    const [, unknown] = /^Unknown option '-*([^']+)'/.exec(errorData(error).message) ?? [];
    const what =
      unknown === undefined
        ? errorData(error).message.split('\n')[0]
        : `unknown option '--${unknown}'${suggest(unknown, Object.keys(options))}`;
    throw new MeshError('USAGE', `${what}; see \`reprise ${verb} --help\``);
  }
}
