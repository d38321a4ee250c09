import type { Budget } from './budget.ts'
import { compare } from './operators.ts'
import type { Value } from './value.ts'

/** Up to here Go's sort is a plain insertion sort, whose order and messages can be met exactly. */
const INSERTION_LIMIT = 12

/** The items in the order of their keys by `<`. Throws `Panic` where two keys cannot be compared. */
export function sorted(request: {
  items: readonly Value[]
  keys: readonly Value[]
  descending: boolean
  budget: Budget
}): Value[] {
  const { items, keys, descending, budget } = request
  const order = items.map((item, i) => ({ item, key: keys[i] ?? null }))
  const less = (a: Value, b: Value): boolean => {
    budget.spend(1)
    return descending ? compare('<', b, a) : compare('<', a, b)
  }
  if (order.length <= INSERTION_LIMIT) {
    for (let i = 1; i < order.length; i++) {
      for (let j = i; j > 0; j--) {
        const left = order[j - 1]
        const right = order[j]
        if (left === undefined || right === undefined || !less(right.key, left.key)) break
        order[j] = left
        order[j - 1] = right
      }
    }
  } else {
    order.sort((a, b) => (less(a.key, b.key) ? -1 : less(b.key, a.key) ? 1 : 0))
  }
  return order.map(({ item }) => item)
}
