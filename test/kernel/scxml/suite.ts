/** The SCXML tests of `@scion-scxml/test-framework` (SCION's own, and the W3C's in `w3c-ecma`): which are run, and why the others are not. */

/** By folder; `test` and `.txml` of the W3C's are left out of their names. */
export const INCLUDED: Readonly<Record<string, string>> = {
  actionSend: 'send1 send2 send3 send4 send4b send7 send7b send8 send8b send9',
  'assign-current-small-step': 'test0 test1 test2 test3 test4',
  'atom3-basic-tests': 'm0 m1 m2 m3',
  basic: 'basic0 basic1 basic2',
  'cond-js': 'TestConditionalTransition test0 test1 test2',
  'default-initial-state': 'initial1 initial2',
  delayedSend: 'send1 send2 send3',
  documentOrder: 'documentOrder0',
  foreach: 'test1',
  hierarchy: 'hier0 hier1 hier2',
  'hierarchy+documentOrder': 'test0 test1',
  history: 'history0 history1 history2 history3 history4 history4b history5 history6',
  'if-else': 'test0',
  in: 'TestInPredicate',
  'internal-transitions': 'test0 test1',
  'more-parallel': 'test0 test1 test10 test10b test2 test2b test3 test3b test4 test5 test6 test6b test7 test8 test9',
  'multiple-events-per-transition': 'test1',
  parallel: 'test0 test1 test2 test3',
  'parallel+interrupt': `
    test0 test1 test10 test11 test12 test13 test14 test15 test16 test17 test18 test19 test2 test20 test21 test21b
    test21c test22 test23 test24 test25 test27 test28 test29 test3 test30 test31 test4 test5 test6 test7 test7b test8
    test9`,
  script: 'test0 test1 test2',
  'scxml-prefix-event-name-matching': 'test0 test1',
  'send-data': 'send1',
  'send-internal': 'test0',
  'targetless-transition': 'test0 test1 test2 test3',
  'w3c-ecma': `
    144 147 148 149 150 151 153 155 158 172 173 174 175 176 179 185 186 187 189 190 191 192 193 198 200 205 207 208
    210 220 232 235 236 237 247 252 253 287 294 302 303-1 303-2 303 304 310 318 321 323 333 335 336 337 339 342 347
    348 349 350 352 354 355 372 375 377 387 396 399 403a 403b 403c 404 405 406 407 416 417 419 421 422 423 436 444
    445 449 451 456 459 460 495 503 504 505 525 527 529 560 562 570 578 580`,
};

/** Why not, and which: `folder/name`. */
export const LEFT_OUT: Readonly<Record<string, string>> = {
  'XState has no error.execution and error.communication: an error ends the actor': `
    assign/assign_invalid data/data_invalid error/error w3c-ecma/152 w3c-ecma/156 w3c-ecma/159 w3c-ecma/194
    w3c-ecma/277 w3c-ecma/286 w3c-ecma/298 w3c-ecma/309 w3c-ecma/311 w3c-ecma/312 w3c-ecma/313 w3c-ecma/314
    w3c-ecma/322 w3c-ecma/324 w3c-ecma/343 w3c-ecma/344 w3c-ecma/376 w3c-ecma/378 w3c-ecma/401 w3c-ecma/402
    w3c-ecma/457 w3c-ecma/487 w3c-ecma/488 w3c-ecma/496 w3c-ecma/521 w3c-ecma/528 w3c-ecma/553`,
  'an initial state that is not a direct child': 'assign/assign_obj_literal data/data_obj_literal misc/deep-initial w3c-ecma/388',
  '<script src>': 'script-src/test0 script-src/test1 script-src/test2 script-src/test3',
  'XState takes the longest descriptor, SCXML the first transition of the document': 'scxml-prefix-event-name-matching/star0',
  '<send idlocation>': 'send-idlocation/test0 w3c-ecma/183 w3c-ecma/332',
  '<send> by a processor that is none': 'w3c-ecma/199',
  "<send> by the HTTP processor (XState's own converter takes it for a send to self)": 'w3c-ecma/201',
  '<invoke typeexpr>': 'w3c-ecma/215',
  '<invoke srcexpr>': 'w3c-ecma/216',
  '<invoke idlocation>': 'w3c-ecma/223 w3c-ecma/224 w3c-ecma/225 w3c-ecma/338',
  '<invoke src>': 'w3c-ecma/226 w3c-ecma/239 w3c-ecma/242 w3c-ecma/276',
  '_event.invokeid, sendid and type': 'w3c-ecma/228 w3c-ecma/330 w3c-ecma/331 w3c-ecma/351',
  '<invoke autoforward>': 'w3c-ecma/229 w3c-ecma/230',
  '<param> or <finalize> in <invoke>': 'w3c-ecma/233 w3c-ecma/234 w3c-ecma/243',
  '<invoke namelist>': 'w3c-ecma/240 w3c-ecma/241 w3c-ecma/244 w3c-ecma/245 w3c-ecma/554',
  'a person has to look at what it logs': 'w3c-ecma/250',
  '<datamodel> within a state': `
    w3c-ecma/278 w3c-ecma/279 w3c-ecma/280 w3c-ecma/307 w3c-ecma/448 w3c-ecma/550 w3c-ecma/551 w3c-ecma/579`,
  'XState has an initial event, so _event is bound from the first': 'w3c-ecma/319',
  '_ioprocessors and _x': 'w3c-ecma/325 w3c-ecma/326 w3c-ecma/329 w3c-ecma/346 w3c-ecma/500 w3c-ecma/501 w3c-ecma/569',
  'several initial states': 'w3c-ecma/364 w3c-ecma/413 w3c-ecma/576',
  'In() in the middle of a step: XState looks at the states before it': 'w3c-ecma/409 w3c-ecma/411',
  '<initial> with executable content': 'w3c-ecma/412',
  '<data src>': 'w3c-ecma/446 w3c-ecma/552 w3c-ecma/557 w3c-ecma/558',
  'its data holds an instance of a class': 'w3c-ecma/452',
  'its data holds a function: our kernel refuses such a context (CONTEXT_NOT_PLAIN)': 'w3c-ecma/453',
  "`reenter` of XState is not SCXML's external transition": 'w3c-ecma/506 w3c-ecma/533',
  '<invoke> of what an expression gives': 'w3c-ecma/530',
  'XML in <content>': 'w3c-ecma/561',
};

/** `[folder, name of its files]`. */
export type TestName = readonly [group: string, name: string];

const namesOf = (names: string): string[] => names.trim().split(/\s+/);
const nameOf = (group: string, name: string): TestName => [group, group === 'w3c-ecma' ? `test${name}.txml` : name];

export const included: readonly TestName[] = Object.entries(INCLUDED).flatMap(([group, names]) =>
  namesOf(names).map((name) => nameOf(group, name)),
);
export const leftOut: readonly TestName[] = Object.values(LEFT_OUT).flatMap((names) =>
  namesOf(names).map((name) => nameOf(...(name.split('/') as [string, string]))),
);
