/**
 * Finds secrets where they must not be: values in place of references, and references outside `tools` and `models`.
 * Knows the shapes of common keys and the names that promise one; what it does not know it cannot refuse.
 */
import type { ConfigPath, ConfigProblem } from './problems.ts';
import { isSecretName, isSecretValue, secretArguments, secretParameter } from './secret-names.ts';

const KEY_SHAPES: readonly RegExp[] = [
  /\bsk-[A-Za-z0-9_-]{16,}/,
  /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}/,
  /\b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{20,}/,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/,
  /\bglpat-[A-Za-z0-9_-]{16,}/,
  /\bnpm_[A-Za-z0-9]{36}\b/,
  /\bxox[abpors]-[A-Za-z0-9-]{10,}/,
  /\bAKIA[A-Z0-9]{16}\b/,
  /\bAIza[A-Za-z0-9_-]{30,}/,
  /\bhf_[A-Za-z0-9]{20,}/,
  /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  // A password in a URL.
  /\b[a-z][a-z0-9+.-]{0,20}:\/\/[^/@\s:]*:[^/@\s]+@/,
];
const CURE = 'write { env: NAME } or { file: PATH }, so that no plan, record or log ever holds it';

const isShaped = (text: string): boolean => KEY_SHAPES.some((shape) => shape.test(text));

/** What may be one is never repeated in a message. */
export const looksSecret = (text: string): boolean => isShaped(text) || secretParameter(text) !== undefined;

const MASK = '[masked]';

/** A copy in which everything that looks like a secret, or has the name of one, is masked. Plain JSON only. */
export function redacted(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return looksSecret(value) || (isSecretName(key) && isSecretValue(value)) ? MASK : value;
  if (Array.isArray(value)) {
    const secrets = secretArguments(value);
    return value.map((item, i) => (secrets.has(i) ? MASK : redacted(item, key)));
  }
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, redacted(item, name)]));
}

/** Everything in `value` that is a secret, or a reference where none is allowed. */
export function secretProblems(value: unknown): ConfigProblem[] {
  const found: ConfigProblem[] = [];
  walk(value, [], found);
  return found;
}

function walk(value: unknown, path: ConfigPath, found: ConfigProblem[]): void {
  if (typeof value === 'string') return checkText(value, path, found);
  if (typeof value !== 'object' || value === null) return;
  if (isReference(value) && !allowsReference(path)) {
    found.push({
      path,
      message:
        'a secret may be referenced only under tools and models: give it to the tool or model that uses it, agents never hold one',
    });
    return;
  }
  for (const [key, item] of Object.entries(value)) walk(item, [...path, Array.isArray(value) ? Number(key) : key], found);
  if (Array.isArray(value) && isArguments(path)) checkArguments(value, path, found);
}

function checkText(text: string, path: ConfigPath, found: ConfigProblem[]): void {
  const key = String(path.at(-1) ?? '');
  if (isShaped(text)) return void found.push({ path, message: `this looks like a secret: ${CURE}` });
  if (isSecretMap(path) && isSecretName(key) && isSecretValue(text))
    return void found.push({ path, message: `"${key}" holds a secret as text: ${CURE}` });
  const parameter = isGateways(path) ? secretParameter(text) : undefined;
  if (parameter !== undefined)
    found.push({
      path,
      message: `"${parameter}" in this address holds a secret as text: ${
        path[0] === 'telemetry'
          ? 'put it into OTEL_EXPORTER_OTLP_HEADERS'
          : 'send it as a header instead, headers: { NAME: { env: NAME } }'
      }`,
    });
}

/** Arguments take no references: every process of the machine can read them. */
function checkArguments(args: readonly unknown[], path: ConfigPath, found: ConfigProblem[]): void {
  for (const [i, name] of secretArguments(args))
    if (!isShaped(String(args[i])))
      found.push({
        path: [...path, i],
        message: `"${name}" gives a secret as text: hand it over as a variable, env: { NAME: { env: NAME } }, since every process of the machine sees arguments`,
      });
}

/** What reaches others: there an address with a secret in it is called, and written into plans. */
const isGateways = ([area]: ConfigPath): boolean => area === 'tools' || area === 'models' || area === 'telemetry';

const isArguments = ([area, , transport, args, ...rest]: ConfigPath): boolean =>
  area === 'tools' && transport === 'stdio' && args === 'args' && rest.length === 0;

/** Variables of a child process and headers of a request: where secrets are by nature. */
const isSecretMap = (path: ConfigPath): boolean => {
  const [area, , ...rest] = path;
  if (area === 'tools')
    return (
      (rest[0] === 'stdio' && rest[1] === 'env' && rest.length === 3) ||
      (rest[0] === 'http' && rest[1] === 'headers' && rest.length === 3)
    );
  return area === 'models' && rest[0] === 'headers' && rest.length === 2;
};

const allowsReference = (path: ConfigPath): boolean => isSecretMap(path) || (path[0] === 'models' && path[2] === 'apiKey');

/** Only `{ env: NAME }`: outside its places `{ file: PATH }` is everyday data. */
function isReference(value: object): boolean {
  const keys = Object.keys(value).filter((k) => k !== 'prefix');
  const [key] = keys;
  if (keys.length !== 1 || Array.isArray(value)) return false;
  const name = (value as Record<string, unknown>)[key ?? ''];
  return key === 'env' && typeof name === 'string' && /^[A-Z][A-Z0-9_]*$/.test(name);
}
