/**
 * Finds secrets where they must not be: values in place of references, and references outside `tools` and `models`.
 * Knows the shapes of common keys; what it does not know it cannot refuse.
 */
import type { ConfigPath, ConfigProblem } from './problems.ts';

const KEY_SHAPES: readonly RegExp[] = [
  /\bsk-[A-Za-z0-9_-]{16,}/,
  /\b(?:ghp|gho|ghs|ghu)_[A-Za-z0-9]{20,}/,
  /\bgithub_pat_[A-Za-z0-9_]{20,}/,
  /\bglpat-[A-Za-z0-9_-]{16,}/,
  /\bxox[abpors]-[A-Za-z0-9-]{10,}/,
  /\bAKIA[A-Z0-9]{16}\b/,
  /\bAIza[A-Za-z0-9_-]{30,}/,
  /\bhf_[A-Za-z0-9]{20,}/,
  /\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\./,
  /-----BEGIN [A-Z ]*PRIVATE KEY-----/,
  // A password in a URL.
  /\b[a-z][a-z0-9+.-]*:\/\/[^/@\s:]*:[^/@\s]+@/,
];
const SECRET_KEY = /(?:api[-_]?key|token|secret|passw(?:or)?d|credentials?|authorization)$/i;
const CURE = 'write { env: NAME } or { file: PATH }, so that no plan, record or log ever holds it';

export const looksSecret = (text: string): boolean => KEY_SHAPES.some((shape) => shape.test(text));

const MASK = '[masked]';

/** A copy in which everything that looks like a secret is masked. Plain JSON only. */
export function redacted(value: unknown): unknown {
  if (typeof value === 'string') return looksSecret(value) ? MASK : value;
  if (Array.isArray(value)) return value.map(redacted);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, redacted(item)]));
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
}

function checkText(text: string, path: ConfigPath, found: ConfigProblem[]): void {
  const key = String(path.at(-1) ?? '');
  if (looksSecret(text)) found.push({ path, message: `this looks like a secret: ${CURE}` });
  else if (text !== '' && isSecretMap(path) && SECRET_KEY.test(key))
    found.push({ path, message: `"${key}" holds a secret as text: ${CURE}` });
}

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
