/** As much of XML as the SCXML tests use: elements, attributes, text, comments, entities. No DTD, no CDATA. */

export interface Element {
  /** Without prefix. */
  readonly name: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly children: readonly Element[];
  /** All of it, in order, white space as it was. */
  readonly text: string;
}

const TOKEN = /<!--[\s\S]*?-->|<\?[\s\S]*?\?>|<\/[^>]*>|<(?:[^>"']|"[^"]*"|'[^']*')*>|[^<]+/g;
const ATTRIBUTE = /([\w:.-]+)\s*=\s*(?:"([^"]*)"|'([^']*)')/g;
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

const decode = (text: string): string => text.replace(/&(\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole);
const local = (name: string): string => name.slice(name.indexOf(':') + 1);

interface Open {
  readonly name: string;
  readonly attributes: Record<string, string>;
  readonly children: Element[];
  text: string;
}

/** The root element. Throws RangeError where elements do not close. */
export function parseXml(xml: string): Element {
  const stack: Open[] = [{ name: '', attributes: {}, children: [], text: '' }];
  for (const [token] of xml.matchAll(TOKEN)) {
    const top = stack.at(-1) as Open;
    if (token.startsWith('<!') || token.startsWith('<?')) continue;
    if (!token.startsWith('<')) {
      top.text += decode(token);
    } else if (token.startsWith('</')) {
      if (stack.length < 2) throw new RangeError(`${token} closes nothing`);
      stack.pop();
    } else {
      const name = local(/^<\s*([\w:.-]+)/.exec(token)?.[1] ?? '');
      const attributes: Record<string, string> = {};
      for (const [, key, double, single] of token.slice(1 + name.length).matchAll(ATTRIBUTE))
        attributes[key as string] = decode(double ?? single ?? '');
      const element: Open = { name, attributes, children: [], text: '' };
      top.children.push(element);
      if (!token.endsWith('/>')) stack.push(element);
    }
  }
  const root = stack[0]?.children[0];
  if (root === undefined || stack.length !== 1) throw new RangeError('an element is not closed');
  return root;
}
