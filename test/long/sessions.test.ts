/** Sessions: what `npm test` does with a few seeds and handshakes, with many. */
import '../overlay/session/crossing.test.ts';
import '../overlay/session/load.test.ts';
