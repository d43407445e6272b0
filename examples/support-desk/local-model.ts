/**
 * A model port on the offline classifier, so that the desk runs without a key. It is a classifier, not a language model: it reads the
 * last user message, pays no heed to instructions, and answers in the one format of triage-format.ts.
 */
import type { ModelMessage, ModelPort, ModelRequest, ModelResult } from 'reprise';
import { trainClassifier } from './classifier.ts';
import { triageAnswer } from './triage-format.ts';

export function localModel(): ModelPort {
  const classifier = trainClassifier();
  return {
    id: 'nlpjs/support-triage',
    async generate(request: ModelRequest): Promise<ModelResult> {
      const classify = await classifier;
      const [, subject = '', text = ''] = /^Subject: (.*)\n\n([\s\S]*)$/.exec(lastWords(request.messages)) ?? [];
      return {
        content: [{ type: 'text', text: triageAnswer(await classify(subject, text)) }],
        finishReason: 'stop',
        usage: {},
        model: 'nlpjs/support-triage',
      };
    },
  };
}

function lastWords(messages: readonly ModelMessage[]): string {
  const last = messages.findLast((message) => message.role === 'user');
  if (last === undefined) return '';
  return typeof last.content === 'string'
    ? last.content
    : last.content.map((part) => (part.type === 'text' ? part.text : '')).join('\n');
}
