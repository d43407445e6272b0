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

/** Puts frames together from what a socket gives. */
export class FrameReader {
  private readonly bytesMax: number;
  private chunks: Buffer[] = [];
  private have = 0;

  constructor(bytesMax = FRAME_BYTES_MAX) {
    this.bytesMax = bytesMax;
  }

  /** The messages that this chunk completes. Throws CODEC_FAILED: the stream is of no use any more. */
  push(chunk: Buffer): unknown[] {
    this.chunks.push(chunk);
    this.have += chunk.length;
    const out: unknown[] = [];
    for (let body = this.next(); body !== undefined; body = this.next()) {
      try {
        out.push(JSON.parse(body.toString('utf8')));
      } catch (cause) {
        throw new MeshError('CODEC_FAILED', 'a control message is no JSON', { cause });
      }
    }
    return out;
  }

  private next(): Buffer | undefined {
    if (this.have < HEAD) return undefined;
    const all = this.chunks.length === 1 ? (this.chunks[0] as Buffer) : Buffer.concat(this.chunks);
    this.chunks = [all];
    const length = all.readUInt32BE(0);
    if (length > this.bytesMax)
      throw new MeshError('CODEC_FAILED', `a control message claims ${length} bytes; at most ${this.bytesMax} are read`);
    if (all.length < HEAD + length) return undefined;
    this.chunks = [all.subarray(HEAD + length)];
    this.have = all.length - HEAD - length;
    return all.subarray(HEAD, HEAD + length);
  }
}
