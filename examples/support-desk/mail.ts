/** Mails as text: reading what came in, writing what goes out. Knows nothing of refunds or models. */

export interface Mail {
  /** Name of its file without the ending: also the key of its case. */
  readonly key: string;
  readonly id: string;
  /** Address, lower case. */
  readonly from: string;
  readonly name: string;
  readonly subject: string;
  /** YYYY-MM-DD. */
  readonly date: string;
  readonly text: string;
}

export interface Reply {
  readonly to: string;
  readonly subject: string;
  readonly inReplyTo: string;
  readonly outcome: string;
  readonly text: string;
}

/** Headers up to the first empty line, then the text. A header that is missing is empty. */
export function parseMail(key: string, raw: string): Mail {
  const lines = raw.replace(/\r\n/g, '\n').split('\n');
  const end = lines.indexOf('');
  const head = lines
    .slice(0, end < 0 ? lines.length : end)
    .join('\n')
    .replace(/\n[ \t]+/g, ' ');
  const header = (name: string): string => new RegExp(`^${name}:[ \\t]*(.*)$`, 'im').exec(head)?.[1]?.trim() ?? '';
  const from = header('From');
  const bracketed = /^(.*?)\s*<([^>]+)>$/.exec(from);
  const sent = new Date(header('Date'));
  return {
    key,
    id: header('Message-ID'),
    from: (bracketed?.[2] ?? from).toLowerCase(),
    name: (bracketed?.[1] ?? '').replace(/^"|"$/g, ''),
    subject: header('Subject'),
    date: Number.isNaN(sent.getTime()) ? '' : sent.toISOString().slice(0, 10),
    text:
      end < 0
        ? ''
        : lines
            .slice(end + 1)
            .join('\n')
            .trim(),
  };
}

/** What the customer wrote this time: without quoted mail and without a signature that is marked as one. */
export function ownWords(text: string): string {
  const own: string[] = [];
  for (const line of text.split('\n')) {
    if (/^-- ?$/.test(line) || /^-{3,}\s*(?:original message|forwarded message)/i.test(line)) break;
    if (line.startsWith('>') || /^(?:on|am|le) .+ (?:wrote|schrieb|a écrit)\s?:$/i.test(line) || /^sent from my /i.test(line))
      continue;
    own.push(line);
  }
  return own
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trim();
}

/** The same reply is the same text, whenever it is written: no date, no counter. */
export function formatReply(reply: Reply): string {
  return [
    'From: Harbour & Pine support <support@harbourandpine.example>',
    `To: ${reply.to}`,
    `Subject: ${/^re:/i.test(reply.subject) ? reply.subject : `Re: ${reply.subject}`}`,
    `In-Reply-To: ${reply.inReplyTo}`,
    `X-Outcome: ${reply.outcome}`,
    '',
    reply.text,
    '',
  ].join('\n');
}
