/**
 * From a checkout Reprise runs by the condition `source` of its own package.json. Other packages may have a condition of that name too,
 * which leads to TypeScript that Node does not run under node_modules: they keep to their builds. Published, this does nothing.
 */
import { registerHooks } from 'node:module';

const CONDITION = 'source';

export function onlyOurSource(): void {
  if (!process.execArgv.some((arg) => arg === `--conditions=${CONDITION}` || arg === `-C=${CONDITION}`)) return;
  registerHooks({
    resolve: (specifier, context, next) => {
      const isOther = !/^(?:\.|\/|file:|node:)/.test(specifier) && specifier !== 'reprise' && !specifier.startsWith('reprise/');
      return next(
        specifier,
        isOther ? { ...context, conditions: context.conditions.filter((name) => name !== CONDITION) } : context,
      );
    },
  });
}
