/**
 * Code that changes while a mesh runs. Modules are loaded under a version, and so is what they import by a relative path: a new version
 * loads both anew. Who imported what is remembered, so that a changed file is known to be part of an actor.
 */
import { type FSWatcher, statSync, watch } from 'node:fs';
import { registerHooks } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** ms of quiet after which a change is taken up: editors write a file in several steps. */
const QUIET_MS = 100;

const isVersioned = (url: string): boolean => url.startsWith('file:') && /\?v=\d+$/.test(url);
const pathOf = (url: string): string => fileURLToPath(url.replace(/\?v=\d+$/, ''));

/** What imported what, by path, among modules that were loaded under a version. */
export class ModuleGraph implements Disposable {
  private readonly imports = new Map<string, Set<string>>();
  private readonly hooks: { deregister(): void };

  constructor() {
    this.hooks = registerHooks({
      resolve: (specifier, context, next) => {
        const resolved = next(specifier, context);
        const { parentURL = '' } = context;
        if (!/^\.{1,2}\//.test(specifier) || !isVersioned(parentURL) || !resolved.url.startsWith('file:')) return resolved;
        const parent = pathOf(parentURL);
        const known = this.imports.get(parent) ?? new Set();
        known.add(pathOf(resolved.url));
        this.imports.set(parent, known);
        const version = parentURL.slice(parentURL.lastIndexOf('?'));
        return isVersioned(resolved.url) ? resolved : { ...resolved, url: `${resolved.url}${version}` };
      },
    });
  }

  /** The file, and all that it imports by relative paths. */
  filesOf(file: string): Set<string> {
    const files = new Set<string>();
    const walk = (path: string): void => {
      if (files.has(path)) return;
      files.add(path);
      for (const imported of this.imports.get(path) ?? []) walk(imported);
    };
    walk(resolve(file));
    return files;
  }

  [Symbol.dispose](): void {
    this.hooks.deregister();
  }
}

/** ms since 1970 for the first: no version of a mesh under `--watch` is as high. */
let given = 0;

/**
 * For a file that a person names while a mesh runs: it is loaded anew each time, with what it imports by relative paths, since it may have
 * been mended after it was refused. Passes on what `load` gives for a version that nothing was loaded under.
 */
export async function anew<T>(load: (version: number) => Promise<T>): Promise<T> {
  using _graph = new ModuleGraph();
  given = Math.max(given + 1, Date.now());
  return await load(given);
}

/** Calls `changed` with the files that were written, once they have been quiet for a moment. */
export class FileWatch implements Disposable {
  private readonly watchers = new Map<string, FSWatcher>();
  private files: ReadonlySet<string> = new Set();
  private readonly found = new Set<string>();
  private timer: NodeJS.Timeout | undefined;
  private readonly changed: (files: ReadonlySet<string>) => void;

  constructor(changed: (files: ReadonlySet<string>) => void) {
    this.changed = changed;
  }

  /**
   * Absolute paths. Folders are watched, not files: editors replace files. What was written since `since` (ms since 1970, when the files
   * began to be read) counts as changed.
   */
  watch(files: ReadonlySet<string>, since: number): void {
    this.files = files;
    for (const folder of new Set([...files].map((file) => dirname(file)))) {
      if (this.watchers.has(folder)) continue;
      const watcher = watch(folder, (_event, name) => {
        if (name !== null) this.touched(join(folder, name));
      });
      watcher.on('error', () => this.watchers.delete(folder));
      this.watchers.set(folder, watcher);
    }
    for (const file of files) if ((statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? 0) > since) this.touched(file);
  }

  private touched(file: string): void {
    if (!this.files.has(file)) return;
    this.found.add(file);
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      const files = new Set(this.found);
      this.found.clear();
      this.changed(files);
    }, QUIET_MS);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.timer);
    for (const watcher of this.watchers.values()) watcher.close();
  }
}
