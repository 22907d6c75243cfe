/** A case cannot be run because of how it is written. */
export class CaseMistake extends Error {}
