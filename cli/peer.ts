/** Packages that a user installs only when a config names what needs them. */
import { MeshError } from '../core/errors.ts';

/** `what` needs the package, as errors say it. Throws PEER_DEPENDENCY_MISSING when it is not installed. */
export async function peer<T>(what: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    const name = missingPackage(error);
    throw name === undefined ? error : peerMissing(what, name, error);
  }
}

export const peerMissing = (what: string, name: string, cause: unknown): MeshError =>
  new MeshError('PEER_DEPENDENCY_MISSING', `${what} needs the package '${name}', which is not installed: npm install ${name}`, {
    data: { package: name },
    cause,
  });

/** The package that an import did not find, however deep in the error; undefined: it failed of something else. */
export function missingPackage(error: unknown): string | undefined {
  for (let e = error; e instanceof Error; e = e.cause) {
    const [, name] = /^Cannot find package '([^']+)'/.exec(e.message) ?? [];
    if (name !== undefined && (e as NodeJS.ErrnoException).code === 'ERR_MODULE_NOT_FOUND') return name;
  }
  return undefined;
}
