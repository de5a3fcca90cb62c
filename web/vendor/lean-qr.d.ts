// The part of lean-qr that the app uses, for the check of its types.
export declare function generate(text: string): { toCanvas(canvas: HTMLCanvasElement): void };
