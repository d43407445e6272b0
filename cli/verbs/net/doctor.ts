/** `reprise net doctor` */
import { errorData } from '../../../core/errors.ts';
import type { Call } from '../../command.ts';
import { type Finding, nodeVersion } from '../../doctor.ts';
import { EXIT } from '../../exit.ts';
import { cureFor } from '../../failure.ts';
import { certificateFinding, diagnose } from '../../net/doctor.ts';
import type { NetFolder } from '../../net/folder.ts';
import { nodeIdOf } from '../../net/node-id.ts';
import { folderOf, runningNode } from '../../net/reach.ts';
import type { NetStatus } from '../../net/status.ts';
import { findingText } from '../../render/finding.ts';

export async function run(call: Call): Promise<number> {
  const folder = folderOf(call);
  const findings = [nodeVersion(process.version), ...(await found(folder))];
  const isOk = findings.every(({ status }) => status !== 'failed');
  if (call.isJson) call.io.json({ ok: isOk, checks: findings });
  else for (const finding of findings) call.io.out(findingText(finding, call));
  return isOk ? EXIT.ok : EXIT.failure;
}

async function found(folder: NetFolder): Promise<readonly Finding[]> {
  try {
    const running = await runningNode(folder);
    if (running !== undefined) return [filesFinding(folder), ...diagnose(await running.call<NetStatus>('doctor'), Date.now())];
    const state = await folder.load();
    return [
      filesFinding(folder),
      {
        name: 'node',
        status: 'failed',
        message: 'it does not run: `reprise net up` runs it, and then there is more to say here',
      },
      certificateFinding(nodeIdOf(state, Date.now()), Date.now()),
    ];
  } catch (error) {
    const { code, message } = errorData(error);
    const cure = cureFor(error);
    return [
      {
        name: code === 'NET_UNRESPONSIVE' ? 'node' : 'folder',
        status: 'failed',
        message: cure === undefined ? message : `${message}. ${cure}`,
      },
    ];
  }
}

const filesFinding = ({ path }: NetFolder): Finding => ({ name: 'folder', status: 'ok', message: path });
