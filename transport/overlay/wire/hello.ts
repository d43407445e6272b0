/** The payload that INIT and RESP seal: who speaks, and what it can take. Nothing in it is checked here but its form. */
import { assert } from '../../../core/errors.ts';
import { Reader, varintBytes, Writer } from './bytes.ts';

const PUBLIC_KEY_BYTES = 32;
export const INSTANCE_ID_BYTES = 8;
/** An endpoint as another sees it: family, address and port have room. */
export const OBSERVED_BYTES_MAX = 32;
/** What everybody takes. Who said that it takes less could be sent no answer, and not even an ACK, however often one is due. */
export const DATAGRAM_BYTES_MIN = 1200;

/** Bytes of a parsed hello are views into the payload. */
export interface Hello {
  /** Ed25519, 32 bytes. It must convert to the static key of the handshake. */
  readonly publicKey: Uint8Array;
  /** 8 bytes, drawn for each association. */
  readonly instanceId: Uint8Array;
  /** Bytes of the longest datagram that it takes; 1200 or more, below 2^16. */
  readonly maxDatagram: number;
  /** 32 bits; one that is not known is ignored. */
  readonly features: number;
  /** In a RESP: from where the INIT came. Else empty. At most 32 bytes. */
  readonly observed: Uint8Array;
  /** Empty where keys are pinned. */
  readonly certificate: Uint8Array;
}

/** Undefined: malformed. Zeros behind the hello are its padding. Keeps `payload`. */
export function parseHello(payload: Uint8Array): Hello | undefined {
  const reader = new Reader(payload);
  const hello: Hello = {
    publicKey: reader.bytes(PUBLIC_KEY_BYTES),
    instanceId: reader.bytes(INSTANCE_ID_BYTES),
    maxDatagram: reader.u16(),
    features: reader.u32(),
    observed: reader.bytes(reader.varint()),
    certificate: reader.bytes(reader.varint()),
  };
  reader.zeros();
  const isWithin = hello.observed.length <= OBSERVED_BYTES_MAX && hello.maxDatagram >= DATAGRAM_BYTES_MIN;
  return reader.bad || reader.left > 0 || !isWithin ? undefined : hello;
}

/** Bytes of the hello without padding. */
export function helloBytes({ observed, certificate }: Pick<Hello, 'observed' | 'certificate'>): number {
  const lengths = varintBytes(observed.length) + varintBytes(certificate.length);
  return PUBLIC_KEY_BYTES + INSTANCE_ID_BYTES + 6 + lengths + observed.length + certificate.length;
}

/** The payload, with `padding` zeros behind it. One that `parseHello` would refuse is a programmer error. */
export function buildHello(hello: Hello, padding: number): Uint8Array {
  assert(hello.publicKey.length === PUBLIC_KEY_BYTES && hello.instanceId.length === INSTANCE_ID_BYTES, 'a hello has its sizes');
  assert(hello.observed.length <= OBSERVED_BYTES_MAX, 'what a hello observed is at most 32 bytes');
  assert(hello.maxDatagram >= DATAGRAM_BYTES_MIN, 'a node takes datagrams of 1200 bytes');
  const writer = new Writer(new Uint8Array(helloBytes(hello) + padding));
  writer.bytes(hello.publicKey);
  writer.bytes(hello.instanceId);
  writer.u16(hello.maxDatagram);
  writer.u32(hello.features);
  writer.varint(hello.observed.length);
  writer.bytes(hello.observed);
  writer.varint(hello.certificate.length);
  writer.bytes(hello.certificate);
  writer.zeros(padding);
  return writer.written();
}
