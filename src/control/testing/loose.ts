/** What came out of JSON in a test: the assertions are the check. */
// oxlint-disable-next-line typescript/no-explicit-any -- a test that looks into an answer needs no schema for it.
export type Loose = any;
