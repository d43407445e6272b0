/** The two packages bring no types: what this example uses of them. */
declare module '@nlpjs/nlp' {
  export class Nlp {
    constructor(settings: { languages: string[]; autoSave: boolean; forceNER: boolean; nlu: { log: boolean } });
    readonly container: { use(plugin: unknown): void };
    addDocument(language: string, text: string, intent: string): void;
    train(): Promise<void>;
    process(language: string, text: string): Promise<{ classifications: { intent: string; score: number }[] }>;
  }
}
declare module '@nlpjs/lang-en-min' {
  export const LangEn: unknown;
}
