/** For `lab.test.ts`: a lab with a process in it, and no end. Says the processes that are to be gone when this one is killed. */
import { NatLab } from './lab.ts';
import { labTools } from './tools.ts';

const tools = labTools();
if (tools === undefined) throw new Error('the lab is not available');
const lab = await NatLab.open(tools, { a: 'port', b: 'port' });
const sleeper = lab.run('a', 'sleep', ['600']);
console.log(JSON.stringify([...lab.pids, sleeper.pid]));
