/** `reprise net init` */
import { randomBytes } from 'node:crypto';
import { MeshError } from '../../../core/errors.ts';
import { Authority } from '../../../transport/overlay/trust/authority.ts';
import { DenyLists } from '../../../transport/overlay/trust/deny-list.ts';
import { LIMITS, networkOf } from '../../../transport/overlay/trust/descriptor.ts';
import type { Call } from '../../command.ts';
import { netConfig } from '../../net/config.ts';
import { listenFor, typedEndpoints, typedListen } from '../../net/endpoints.ts';
import { founderCertificate } from '../../net/membership.ts';
import { typedName } from '../../net/names.ts';
import { folderOf } from '../../net/reach.ts';
import { nodeIdOf } from '../../net/node-id.ts';

export async function run(call: Call): Promise<void> {
  const isPinned = call.flag('pinned');
  const listen = call.texts('listen');
  for (const text of listen) typedListen(text);
  const endpoints = typedEndpoints(call.texts('endpoint'));
  const config = netConfig({
    name: typedName(call.text('name')),
    listen: listen.length > 0 ? [...listen] : [...listenFor(endpoints)],
    endpoints: [...endpoints],
  });
  const folder = folderOf(call);
  await folder.make();
  using _lock = await folder.lock();
  const there = await folder.network();
  if (there !== undefined)
    throw new MeshError('NET_FOLDER_EXISTS', `${folder.path} is of the network '${there.name}' already; nothing was changed`);
  // Before any file is made: a name that is none leaves nothing behind.
  networkOf({ name: call.arg(0), caKeys: [], addressProfile: 'standard', limits: LIMITS });
  const identity = await folder.identity();
  const ca = isPinned ? undefined : await folder.caKey();
  const caKeys = ca === undefined ? [] : [ca.publicKey];
  const network = networkOf({ name: call.arg(0), caKeys, addressProfile: 'standard', limits: LIMITS });
  await folder.saveConfig(config);
  if (ca !== undefined) {
    const authority = new Authority({ network, signer: ca, denyLists: new DenyLists(network), random: randomBytes });
    await folder.saveCertificate(await founderCertificate(authority, identity, config.name, Date.now()));
    await folder.saveAuthority(authority);
  }
  await folder.saveNetwork(network);

  const id = nodeIdOf(await folder.load(), Date.now());
  if (call.isJson) return call.io.json({ ...id, folder: folder.path });
  const { io } = call;
  io.out(
    `${io.paint('green', network.name)} is made. This node is ${config.name}, ${identity.address}; all of it is in ${folder.path}`,
  );
  const next = isPinned
    ? `\`reprise net up\` runs it. The other machine is made with \`reprise net init ${network.name} --pinned\`, there. Then each has to know the key of the other (\`reprise net id\`): \`reprise net add KEY --name NAME --endpoint HOST:PORT\` here, and the same there (the endpoint of one of the two is enough)`
    : '`reprise net up` runs it; then `reprise net invite`, in another terminal, prints the line by which a machine joins';
  io.note(
    `it takes UDP at ${config.listen.join(', ')}: a firewall has to let that in. \`listen\` in config.json changes it, and \`endpoints\` where others are told that this node is`,
  );
  io.note(next);
}
