/**
 * Messages on the control socket: four bytes of length (big endian), then that much JSON. Bounded, so that neither side can be made
 * to hold more than it means to.
 */
import { MeshError } from '../../core/errors.ts';

/** Bytes of one message. Above the largest event that a mesh may be sent (16 MiB unless its file says otherwise). */
export const FRAME_BYTES_MAX = 64 * 1024 * 1024;
const HEAD = 4;

/** Throws PAYLOAD_TOO_LARGE. */
export function frame(value: unknown): Buffer {
  const body = Buffer.from(JSON.stringify(value ?? null), 'utf8');
  if (body.length > FRAME_BYTES_MAX)
    throw new MeshError(
      'PAYLOAD_TOO_LARGE',
      `the message has ${body.length} bytes; ${FRAME_BYTES_MAX} fit through the control socket`,
    );
  const head = Buffer.alloc(HEAD);
  head.writeUInt32BE(body.length);
  return Buffer.concat([head, body]);
}

/** Puts frames together from what a socket gives. What it copies is what it is given, once, however that is cut. */
export class FrameReader {
  private readonly bytesMax: number;
  private chunks: Buffer[] = [];
  private have = 0;
  /** Bytes of the body that is on its way; undefined: its length is not known yet. */
  private length: number | undefined;

  constructor(bytesMax = FRAME_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /** The messages that this chunk completes. Throws CODEC_FAILED: the stream is of no use any more. */
  push(chunk: Buffer): unknown[] {
    this.chunks.push(chunk);
    this.have += chunk.length;
    const out: unknown[] = [];
    for (let bytes = this.next(); bytes !== undefined; bytes = this.next()) {
      if (this.length === undefined) this.length = this.checked(bytes.readUInt32BE(0));
      else {
        this.length = undefined;
        out.push(parsed(bytes));
      }
    }
    return out;
  }

  /** The head or body that is wanted; undefined: it is not whole yet. */
  private next(): Buffer | undefined {
    const wanted = this.length ?? HEAD;
    if (this.have < wanted) return undefined;
    const [first] = this.chunks;
    const all = first !== undefined && first.length >= wanted ? first : Buffer.concat(this.chunks.splice(0));
    const rest = all.subarray(wanted);
    if (all === first) this.chunks.shift();
    if (rest.length > 0) this.chunks.unshift(rest);
    this.have -= wanted;
    return all.subarray(0, wanted);
  }

  private checked(length: number): number {
    if (length <= this.bytesMax) return length;
    throw new MeshError('CODEC_FAILED', `a control message claims ${length} bytes; at most ${this.bytesMax} are read`);
  }
}

function parsed(body: Buffer): unknown {
  try {
    return JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw new MeshError('CODEC_FAILED', 'a control message is no JSON', { cause });
  }
}
