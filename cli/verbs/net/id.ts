/** `reprise net id` */
import type { Call } from '../../command.ts';
import { nodeIdOf, revokedText } from '../../net/node-id.ts';
import { folderOf } from '../../net/reach.ts';
import { spanText, timeText } from '../../render/text.ts';

export async function run(call: Call): Promise<void> {
  const now = Date.now();
  const folder = folderOf(call);
  const id = nodeIdOf(await folder.load(), now);
  if (call.isJson) return call.io.json({ ...id, folder: folder.path });
  const { io } = call;
  const say = (label: string, text: string): void => io.out(`${label.padEnd(12)} ${text}`);
  say('name', id.name ?? '-');
  say('address', id.address);
  say('key', id.key);
  say('fingerprint', id.fingerprint);
  say('network', `${id.network.name} (${id.network.kind}, ${id.network.id})`);
  const revoked = revokedText(id);
  if (revoked !== undefined) say('revoked', io.paint('red', revoked));
  const { certificate } = id;
  if (certificate !== undefined) {
    const { roles, notBefore, notAfter, isValid } = certificate;
    const until = `valid until ${timeText(notAfter)}, ${spanText(notAfter - now)} from now`;
    const fault =
      now < notBefore ? `not valid before ${timeText(notBefore)}: is this clock right?` : `expired ${timeText(notAfter)}`;
    say('certificate', `${roles.join(', ')}; ${isValid ? until : io.paint('red', fault)}`);
  }
  if (id.isAuthority) say('authority', 'the CA key is in this folder: keep a copy of ca.pem where nobody finds it');
}
