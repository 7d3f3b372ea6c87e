/** The type of a global that browsers have, where the program's libraries declare it. */
export type GlobalType<Name extends string, Otherwise = unknown> = typeof globalThis extends {
  readonly [Key in Name]: { prototype: infer Type };
}
  ? Type
  : Otherwise;
