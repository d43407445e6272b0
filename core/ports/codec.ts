/** Bytes of frames on a link. Throws CODEC_FAILED at garbage; never revives classes. */
export interface Codec {
  encode(value: unknown): Uint8Array;
  decode(bytes: Uint8Array): unknown;
}
