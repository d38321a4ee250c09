/** A private copy of an object on its way to the stored form, changed in place. */
export type Draft = Record<string, unknown>

/** Fills in what is absent in one struct. Runs before those of the structs inside. */
export type Defaulter = (draft: Draft) => void

/** Writes the values of fields that are absent. The draft holds no null and no empty value. */
export function setAbsent(draft: Draft, values: Draft): void {
  for (const [name, value] of Object.entries(values)) draft[name] ??= value
}

/** The object under that name, if there is one. */
export function child(draft: Draft, name: string): Draft | undefined {
  const value = draft[name]
  return isDraft(value) ? value : undefined
}

/** The object under that name, made when absent. */
export function childMade(draft: Draft, name: string): Draft {
  const made = child(draft, name) ?? {}
  draft[name] = made
  return made
}

/** The objects in the list under that name. */
export function children(draft: Draft, name: string): readonly Draft[] {
  const value = draft[name]
  return Array.isArray(value) ? value.filter(isDraft) : []
}

/**
 * A field of older API versions repeats the first item of a newer list: each is made from the
 * other, and the old one wins where they differ.
 */
export function keepInStep(pair: {
  readonly draft: Draft
  readonly one: string
  readonly many: string
  readonly wrap: (value: unknown) => unknown
}): void {
  const { draft, one, many, wrap } = pair
  const list = Array.isArray(draft[many]) ? draft[many] : []
  const first = isDraft(list[0]) ? Object.values(list[0])[0] : list[0]
  if (draft[one] === undefined) {
    if (first) draft[one] = first
  } else if (draft[one] !== first) {
    draft[many] = [wrap(draft[one])]
  }
}

function isDraft(value: unknown): value is Draft {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
