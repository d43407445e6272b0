/** Whole nodes of the overlay, and attacks on them: what `npm test` does with a few seeds, with many. */
import '../overlay/node.test.ts';
import '../overlay/node-attacks.test.ts';
