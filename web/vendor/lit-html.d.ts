// The part of lit-html that the app uses, for the check of its types.
export interface TemplateResult { readonly strings: TemplateStringsArray }
export declare const nothing: unique symbol;
export declare function html(strings: TemplateStringsArray, ...values: unknown[]): TemplateResult;
export declare function render(value: unknown, container: HTMLElement): unknown;
