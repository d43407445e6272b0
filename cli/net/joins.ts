/** Whom an authority has let in since it was looked at last: by the names that it keeps. A renewal is none, nor is who joins again under his name. */
import type { AuthorityState } from '../../transport/overlay/trust/authority.ts';
import type { GivenName } from '../../transport/overlay/trust/given-names.ts';

export class Joins {
  private seen: ReadonlySet<string>;

  constructor(state: AuthorityState) {
    this.seen = new Set(namesIn(state).map(textOf));
  }

  since(state: AuthorityState): readonly GivenName[] {
    const names = namesIn(state);
    const joined = names.filter((given) => !this.seen.has(textOf(given)));
    if (joined.length > 0) this.seen = new Set(names.map(textOf));
    return joined;
  }
}

const namesIn = ({ names = [] }: AuthorityState): readonly GivenName[] => names;
const textOf = ({ name, publicKey }: GivenName): string => `${name} ${publicKey}`;
