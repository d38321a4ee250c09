/**
 * All differences e - c of two samples in ascending order, without making them: 2,000 values on each side have four
 * million, which would take half a second to sort.
 *
 * @param experiment ascending, as `control`; both finite and not empty
 * @returns the difference at a position, from 0
 */
export function orderedDifferences(
  experiment: Float64Array,
  control: Float64Array,
): (position: number) => number {
  const last = (values: Float64Array) => values.at(-1) ?? Number.NaN
  const least = orderOf((experiment[0] ?? Number.NaN) - last(control))
  const most = orderOf(last(experiment) - (control[0] ?? Number.NaN))
  return (position) => {
    // The least double that enough differences do not exceed is one of them; 64 halvings find it.
    let [low, high] = [least, most]
    while (low < high) {
      const middle = (low + high) >> 1n
      if (countUpTo(experiment, control, doubleAt(middle)) > position) high = middle
      else low = middle + 1n
    }
    return doubleAt(low)
  }
}

/** How many pairs differ by `bound` at most. As e grows, ever fewer c are small enough to be left out: one walk over both. */
function countUpTo(experiment: Float64Array, control: Float64Array, bound: number): number {
  let [count, first] = [0, 0]
  for (const e of experiment) {
    while (first < control.length && e - (control[first] ?? 0) > bound) first++
    count += control.length - first
  }
  return count
}

const view = new DataView(new ArrayBuffer(8))
const signBit = -(1n << 63n)

/** Place of a double among all doubles: greater ones have greater places, neighbours differ by one, both zeros have 0. */
function orderOf(value: number): bigint {
  view.setFloat64(0, value)
  const bits = view.getBigInt64(0)
  return bits >= 0n ? bits : signBit - bits
}

function doubleAt(order: bigint): number {
  view.setBigInt64(0, order >= 0n ? order : signBit - order)
  return view.getFloat64(0)
}
