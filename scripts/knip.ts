/** `npm run knip`: it asks TypeScript's compiler API, which TypeScript 7 has no more, so it is given 6. */
import { registerHooks } from 'node:module';

registerHooks({ resolve: (specifier, context, next) => next(specifier === 'typescript' ? 'typescript-6' : specifier, context) });
await import('../node_modules/knip/bin/knip.js');
