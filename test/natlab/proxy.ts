/** `node proxy.ts HOST PORT`: an HTTP proxy that knows CONNECT, and nothing else. */
import { createServer } from 'node:http';
import { connect } from 'node:net';

const [host, port] = process.argv.slice(2);
const server = createServer((_, response) => response.writeHead(405).end());

server.on('connect', (request, client, head) => {
  const target = new URL(`http://${request.url}`);
  const onward = connect(Number(target.port || 80), target.hostname, () => {
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    onward.write(head);
    onward.pipe(client).pipe(onward);
  });
  onward.on('error', () => client.destroy());
  client.on('error', () => onward.destroy());
});

server.listen(Number(port), host, () => console.log(JSON.stringify({ type: 'ready' })));
process.stdin.on('end', () => process.exit()).resume();
