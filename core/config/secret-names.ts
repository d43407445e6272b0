/**
 * Which names promise a secret, and which values break that promise. One rule for variables, headers, arguments of programs and parameters
 * of addresses. The last word of a name decides: `DB_PASS` and `apiKey` hold a secret, `API_KEY_FILE` and `keyArgument` say something else.
 */

const SECRET_WORD =
  /^(?:keys?|pass|pwd|pw|auth|pat|creds?|cookies?|jwt|bearer)$|(?:(?:api|access|account|auth|master|private|secret|shared|signing|ssh)keys?|token|secrets?|passwords?|passwd|passphrase|passcode|credentials?|authorization)$/;
/** Before `key`: it names something, and opens nothing. */
const OPEN_KEY = /^(?:public|pub|partition|sort|foreign|cache|idempotency)$/;
/** Such a name asks yes or no. */
const QUESTION = /^(?:no|without|skip|disable|enable|allow|require|use)$/;

const YES_OR_NO = /^(?:true|false|yes|no|on|off|none|0|1)$/i;
const PATH = /^(?:\.{1,2}\/|~\/|\/(?:[a-z]+|Users)\/|[A-Za-z]:[\\/])\S*$|^[\w.-]+\.(?:pem|key|crt|cer|p12|json|txt)$/;
/** A variable that the other side fills in: `$NAME`, `Bearer ${NAME}`. */
const FILLED_IN = /^(?:[A-Za-z]+ )?\$(?:\w+|\{\w+\})$/;

/** `OPENAI_API_KEY2` -> openai, api, key */
const wordsOf = (name: string): string[] =>
  name
    .replace(/([a-z\d])([A-Z])/g, '$1 $2')
    .replace(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toLowerCase()
    .split(/[^a-z\d]+/)
    .map((word) => word.replace(/\d+$/, ''))
    .filter((word) => word !== '');

/** Of a variable, a header, a flag, a member: does what it names want to be kept secret? */
export function isSecretName(name: string): boolean {
  const words = wordsOf(name);
  const [last = '', before = ''] = words.toReversed();
  if (!SECRET_WORD.test(last) || QUESTION.test(words[0] ?? '')) return false;
  // Alone it is the folder that a program runs in.
  if (last === 'pwd') return words.length > 1;
  return !(/^keys?$/.test(last) && OPEN_KEY.test(before));
}

/** Is this text, under such a name, the secret itself? Not when it is empty, yes or no, a path, or left to somebody else to fill in. */
export const isSecretValue = (text: string): boolean =>
  text !== '' && !YES_OR_NO.test(text) && !PATH.test(text) && !FILLED_IN.test(text);

export interface Named {
  readonly name: string;
  readonly value: string;
}

const holds = ({ name, value }: Named): boolean => isSecretName(name) && isSecretValue(value);

const ADDRESS = /\b[a-z][a-z\d+.-]{0,20}:\/\/[^\s?#]{0,2000}[?#](\S*)/gi;

/** The parameter of an address in the text that holds a secret. */
export function secretParameter(text: string): string | undefined {
  for (const [, parameters = ''] of text.matchAll(ADDRESS))
    for (const [name, value] of new URLSearchParams(parameters.replace(/[?#]/g, '&')))
      // What is signed opens a door until it expires.
      if (holds({ name, value }) || (/(?:^|-)sig(?:nature)?$/i.test(name) && value !== '')) return name;
  return undefined;
}

const ASSIGNED = /^-{0,2}([A-Za-z][\w.-]*)\s*[=:]\s*(.+)$/s;
const FLAG = /^--?([A-Za-z][\w.-]*)$/;

/** `--name=value`, `NAME=value`, `Name: value`, up to so many within one another, as in `--header=X-Api-Key: value`. */
const LEVELS = 3;
function assigned(text: string): string | undefined {
  let rest = text;
  for (let level = 0; level < LEVELS; level++) {
    const [, name, value] = ASSIGNED.exec(rest) ?? [];
    if (name === undefined || value === undefined) return undefined;
    if (holds({ name, value })) return name;
    rest = value;
  }
  return undefined;
}

/** The arguments of a program that hold a secret, and by what name. */
export function secretArguments(args: readonly unknown[]): ReadonlyMap<number, string> {
  const found = new Map<number, string>();
  for (const [i, arg] of args.entries()) {
    if (typeof arg !== 'string') continue;
    const name = assigned(arg);
    if (name !== undefined) found.set(i, name);
    const [, flag] = FLAG.exec(arg) ?? [];
    const next = args[i + 1];
    if (flag !== undefined && typeof next === 'string' && !next.startsWith('-') && holds({ name: flag, value: next }))
      found.set(i + 1, arg);
  }
  return found;
}
