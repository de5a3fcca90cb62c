// Texts as strangers write them: with markup, with characters that turn the direction, and without a place to break.

export const MARKUP = `<img src=x onerror="document.title='run'"> <b>bold</b> &amp; "quotes"`;
/** U+202E turns what follows from right to left. */
export const BIDI = "abc \u202Etxet desrever \u05E9\u05DC\u05D5\u05DD";
/** As long as a title may be. */
export const LONG = `${"W".repeat(100)}${"海".repeat(28)}`;
/** More than any client of the app would send. */
export const HUGE = "x".repeat(100_000);
