/** §4 of docs/overlay-wire.md: frozen bodies are read by the page alone, and read and written by the code. */
import { describe, expect, test } from 'vitest';
import { endpointBytes, parseEndpointBytes } from '../../../transport/overlay/paths/endpoint.ts';
import { offerBytes, parseOffer, parsePunch, punchBytes } from '../../../transport/overlay/punch/candidates.ts';
import {
  buildRecordBody,
  buildRegister,
  buildRelay,
  buildResolve,
  parseRecordBody,
  parseRegister,
  parseRelay,
  parseResolve,
  REFUSALS,
} from '../../../transport/overlay/relay/bodies.ts';
import { disturbed } from '../wire/hostile.ts';
import vectors from '../vectors/bodies.json' with { type: 'json' };
import { specBody, specReasons, type BodyName } from './bodies-spec.ts';

interface Codec {
  readonly parse: (bytes: Uint8Array) => unknown;
  /** Of what was parsed. */
  readonly build: (body: never) => Uint8Array;
}
const codec = <T>(parse: (bytes: Uint8Array) => T | undefined, build: (body: T) => Uint8Array): Codec => ({
  parse,
  build,
});
const codecs: Readonly<Record<BodyName, Codec>> = {
  REGISTER: codec(parseRegister, buildRegister),
  RESOLVE: codec(parseResolve, buildResolve),
  RECORD: codec(parseRecordBody, buildRecordBody),
  RELAY: codec(parseRelay, buildRelay),
  OBSERVED: codec(parseEndpointBytes, endpointBytes),
  CANDIDATES: codec(parseOffer, offerBytes),
  PUNCH: codec(parsePunch, punchBytes),
};

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const toBytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
/** As in the file: bytes are hex. */
const plain = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, item: unknown) => (item instanceof Uint8Array ? toHex(item) : item)) ?? 'null');

describe('frozen bodies', () => {
  test.each(vectors.bodies)('$body: $name', ({ body, hex, fields, parsed }) => {
    const { parse, build } = codecs[body as BodyName];
    expect(plain(specBody(body as BodyName, toBytes(hex)))).toEqual(fields);
    expect(plain(parse(toBytes(hex)))).toEqual(parsed);
    expect(toHex(build(parse(toBytes(hex)) as never))).toBe(hex);
  });

  test.each(vectors.malformed)('$body: $name is malformed', ({ body, hex }) => {
    expect(specBody(body as BodyName, toBytes(hex))).toBeUndefined();
    expect(codecs[body as BodyName].parse(toBytes(hex))).toBeUndefined();
  });

  test('disturbed, they are to the code what they are to the page', () => {
    for (const { body, hex } of vectors.bodies)
      for (const bytes of disturbed(toBytes(hex)))
        expect([toHex(bytes), codecs[body as BodyName].parse(bytes) === undefined]).toEqual([
          toHex(bytes),
          specBody(body as BodyName, bytes) === undefined,
        ]);
  });
});

test('the page has the reasons of the code', () => {
  expect(specReasons).toEqual(REFUSALS);
});
