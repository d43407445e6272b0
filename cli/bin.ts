#!/usr/bin/env node
/**
 * The executable `reprise`. An older Node could not even parse what follows, so it is told so here: this file imports nothing, and Node 18
 * can read what is made of it.
 */
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
// `engines` of package.json says the same.
if (major > 22 || (major === 22 && minor >= 18)) await import('./main.ts');
else {
  console.error(`reprise needs Node 22.18 or newer, this is ${process.versions.node} (npm install node@24, then npx reprise)`);
  // EXIT.usage
  process.exitCode = 2;
}
