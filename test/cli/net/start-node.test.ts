/** The node of a folder in a program: `startNode` of `reprise/overlay`. */
import { expect, test } from 'vitest';
import { NetFolder } from '../../../cli/net/folder.ts';
import { startNode } from '../../../overlay.ts';
import { NetLab } from './lab.ts';

test('runs what is in the folder, with the verbs beside it, and leaves the folder to others in the end', async () => {
  await using lab = new NetLab();
  await lab.home('a');
  const node = await startNode(lab.dir('a'));
  try {
    expect(node.overlay.status()).toMatchObject({ name: 'hub', certificate: { renewalFailed: undefined } });
    expect(await lab.json('a', 'peers')).toMatchObject({ pid: process.pid, isRelay: true });
  } finally {
    await node.stop();
  }
  await node.stop();
  expect(await lab.fails('a', 'peers')).toMatchObject({ code: 'NET_NOT_RUNNING' });
  await using again = await startNode(lab.dir('a'));
  expect(again.overlay.publicKey).toBe(node.overlay.publicKey);
});

test('one that cannot run leaves no lock behind', async () => {
  await using lab = new NetLab();
  await expect(startNode(lab.dir('a'))).rejects.toMatchObject({ code: 'NET_FOLDER_MISSING' });
  await lab.home('a');
  const folder = new NetFolder(lab.dir('a'));
  const config = await folder.config();
  await folder.saveConfig({ ...config, listen: ['192.0.2.1:7337'] });
  await expect(startNode(lab.dir('a'))).rejects.toMatchObject({ code: 'TRANSPORT_UNAVAILABLE' });
  await folder.saveConfig(config);
  await using node = await startNode(lab.dir('a'));
  expect(node.overlay.status().name).toBe('hub');
});
