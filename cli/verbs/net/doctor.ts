/** `reprise net doctor` */
import { errorData } from '../../../core/errors.ts';
import type { Call } from '../../command.ts';
import { type Finding, nodeVersion } from '../../doctor.ts';
import { EXIT } from '../../exit.ts';
import { cureFor } from '../../failure.ts';
import { authorityFindings } from '../../net/authority-key.ts';
import { certificateFinding, diagnose, memberFindings } from '../../net/doctor.ts';
import type { NetFolder } from '../../net/folder.ts';
import { nodeIdOf } from '../../net/node-id.ts';
import { folderOf, runningNode } from '../../net/reach.ts';
import type { NetStatus } from '../../net/status.ts';
import { findingText, typedFinding } from '../../render/finding.ts';

export async function run(call: Call): Promise<number> {
  const folder = folderOf(call);
  const { member, others } = await found(folder);
  const findings = [...member, nodeVersion(process.version), ...others];
  const isOk = findings.every(({ status }) => status !== 'failed');
  if (call.isJson) call.io.json({ ok: isOk, checks: findings.map((finding) => typedFinding(finding, call)) });
  else for (const finding of findings) call.io.out(findingText(finding, call));
  return isOk ? EXIT.ok : EXIT.failure;
}

interface Found {
  readonly member: readonly Finding[];
  readonly others: readonly Finding[];
}

async function found(folder: NetFolder): Promise<Found> {
  try {
    const running = await runningNode(folder);
    if (running !== undefined) {
      const status = await running.call<NetStatus>('doctor');
      const others = [filesFinding(folder), ...(await authorityFindings(folder)), ...diagnose(status, Date.now())];
      return { member: memberFindings(status.node), others };
    }
    const id = nodeIdOf(await folder.load(), Date.now());
    if (id.isRevoked) return { member: memberFindings(id), others: [filesFinding(folder)] };
    const message = 'it does not run: `reprise net up` runs it, and then there is more to say here';
    const others: readonly Finding[] = [
      filesFinding(folder),
      ...(await authorityFindings(folder)),
      { name: 'process', status: 'failed', message },
      certificateFinding(id, Date.now()),
    ];
    return { member: [], others };
  } catch (error) {
    const { code, message } = errorData(error);
    const cure = cureFor(error);
    const fault: Finding = {
      name: code === 'NET_UNRESPONSIVE' ? 'process' : 'folder',
      status: 'failed',
      message: cure === undefined ? message : `${message}. ${cure}`,
    };
    return { member: [], others: [fault] };
  }
}

const filesFinding = ({ path }: NetFolder): Finding => ({ name: 'folder', status: 'ok', message: path });
