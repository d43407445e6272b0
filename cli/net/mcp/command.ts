/** Whether a command can be run, before anybody waits for what it says. */
import { accessSync, constants, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** As `execvp` finds it: with a slash it is a path, else a name in a folder of `path`. */
export function isRunnable(command: string, path = ''): boolean {
  if (command.includes('/')) return isProgram(command);
  return path.split(delimiter).some((folder) => isProgram(join(folder, command)));
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}
