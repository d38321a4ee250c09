import { Panic } from './value.ts'

/** Upstream's limit: one unit per array, range or map element made and per repeated byte. */
const MEMORY_BUDGET = 1_000_000
/**
 * Ours. Upstream counts memory only, so nested loops over one large array or text that doubles in every
 * round keep its process busy for hours. Sized to about a second of work.
 */
const WORK_BUDGET = 10_000_000
/** So many characters of text made cost one unit of work. */
const CHARACTERS_PER_UNIT = 8

/** What one evaluation may still use. Throws `Panic` when it is used up. Source: spec analysis-and-experiments 3.9. */
export class Budget {
  #memory = 0
  #work = 0

  /** Elements of an array, range or map that are made, or bytes repeated. */
  grow(elements: number): void {
    this.#memory += elements
    if (this.#memory >= MEMORY_BUDGET) throw new Panic('memory budget exceeded')
  }

  /** Steps of evaluation. */
  spend(steps: number): void {
    this.#work += steps
    if (this.#work > WORK_BUDGET) throw new Panic('evaluation budget exceeded')
  }

  /** Characters of text made or read; call it before making the text. */
  spendText(characters: number): void {
    this.spend(characters / CHARACTERS_PER_UNIT)
  }
}
