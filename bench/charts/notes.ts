/** W4: an agent that keeps all that it is told. */
import { assign, setup } from 'xstate';

export type Note = { readonly type: 'note'; readonly text: string };

export const notesMachine = setup({
  types: { context: {} as { readonly notes: readonly string[] }, events: {} as Note },
  actions: { keep: assign(({ context, event }) => ({ notes: [...context.notes, event.text] })) },
}).createMachine({ id: 'notes', version: '1', context: { notes: [] }, on: { note: { actions: 'keep' } } });

const LETTERS = 'abcdefghijklmnopqrstuvwxyz     ';

/** 300 characters that no compression makes small: a fixed sequence of pseudo-random letters. */
export function notes(seed: number): () => Note {
  let state = seed >>> 0;
  return () => {
    let text = '';
    for (let i = 0; i < 300; i++) {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      text += LETTERS[(state >>> 16) % LETTERS.length];
    }
    return { type: 'note', text };
  };
}
