/** A record of a log and an effect, each in one phrase for people. */
import type { Effect } from '../../core/effect.ts';
import type { LogicStamp, LogRecord } from '../../core/record.ts';
import { inline } from './text.ts';

/** What happened, in one phrase: `event greet {"name":"Ada"} from @outside`. */
export function recordText(record: LogRecord, width = 100): string {
  const { from, via } = record.meta;
  const sender = `${from === undefined ? '' : ` from ${from}`}${via === undefined ? '' : ` for ${via}`}`;
  switch (record.kind) {
    case 'init':
      return `init ${record.init.logic} ${inline(record.init.input, width)}${sender}`;
    case 'event':
    case 'dead': {
      const { type, ...rest } = record.event;
      const more = Object.keys(rest).length === 0 ? '' : ` ${inline(rest, width)}`;
      const why = record.kind === 'dead' ? ` (${record.cause}${record.detail === undefined ? '' : `: ${record.detail}`})` : '';
      return `${record.kind} ${type}${more}${sender}${why}`;
    }
    case 'failed':
      return `failed, try ${record.attempt}: ${record.error.message}${record.parked === undefined ? '' : ` (parked: ${record.parked})`}`;
    case 'activated':
      return `activated on ${record.node}: ${record.reason}`;
    case 'fired':
      return `fired ${record.timer}`;
    case 'void':
      return `void ${record.send}`;
    case 'resend':
      return `resend of ${record.dead}: ${record.event.type} to ${record.to}`;
    case 'bridge':
      return `bridge: ${record.reason}`;
    case 'mark':
    case 'ready':
      return record.kind;
  }
}

export function effectText(effect: Effect, width = 100): string {
  switch (effect.kind) {
    case 'spawn':
      return `spawn ${effect.child} from '${effect.src}' ${inline(effect.input, width)}`;
    case 'stop':
      return `stop ${effect.child}`;
    case 'send': {
      const { to, event, delay } = effect;
      const name = to.kind === 'child' ? to.child : to.kind === 'address' ? to.address : to.kind;
      return `send ${event.type} to ${name}${delay === undefined ? '' : ` in ${delay} ms`}`;
    }
    case 'timer':
      return `timer ${effect.timer} in ${effect.delay} ms`;
    case 'cancel':
      return `cancel ${effect.timer}`;
    case 'emit':
      return `emit ${effect.event.type}`;
    case 'log':
      return `log ${inline(effect.value, width)}`;
    case 'action':
      return `action ${effect.type}${effect.params === undefined ? '' : ` ${inline(effect.params, width)}`}`;
    case 'terminate':
      return `end: ${effect.status}`;
  }
}

/** `'reminder', version 1, hash 0068c4e99723bb` */
export const stampText = ({ id, version, hash }: LogicStamp): string =>
  `'${id}'${version === undefined ? '' : `, version ${version}`}, hash ${hash}`;
