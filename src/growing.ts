/**
 * Of what cannot be changed, one that is still being made. 10,000 records may be made at once, and each `...` in a literal costs as
 * much as all the rest of it: what most do not have is set afterwards.
 */
export type Growing<T> = { -readonly [Key in keyof T]: T[Key] };
