/**
 * A sum that keeps what rounding would lose (Kahan in Neumaier's form), as Prometheus sums:
 * 1e100 + 1 - 1e100 is 1, not 0.
 */
export class Summation {
  sum: number
  lost = 0

  constructor(start = 0) {
    this.sum = start
  }

  add(value: number): void {
    const total = this.sum + value
    if (!Number.isFinite(total)) this.lost = 0
    else if (Math.abs(this.sum) >= Math.abs(value)) this.lost += this.sum - total + value
    else this.lost += value - total + this.sum
    this.sum = total
  }

  get total(): number {
    return Number.isFinite(this.sum) ? this.sum + this.lost : this.sum
  }
}

/** The mean. When the plain sum would overflow, it goes on as a running mean. */
export function mean(values: ArrayLike<number>): number {
  const sum = new Summation(values[0] as number)
  let running: Summation | undefined
  for (let i = 1; i < values.length; i++) {
    const value = values[i] as number
    const count = i + 1
    if (running === undefined) {
      const before = { sum: sum.sum, lost: sum.lost }
      sum.add(value)
      if (Math.abs(sum.sum) !== Number.POSITIVE_INFINITY) continue
      running = new Summation(before.sum / (count - 1))
      running.lost = before.lost / (count - 1)
    }
    const weight = (count - 1) / count
    running.sum *= weight
    running.lost *= weight
    running.add(value / count)
  }
  if (running !== undefined) return running.sum + running.lost
  return sum.sum / values.length + sum.lost / values.length
}

/** The population variance. */
export function variance(values: ArrayLike<number>): number {
  const center = new Summation()
  const squares = new Summation()
  for (let i = 0; i < values.length; i++) {
    const value = values[i] as number
    const delta = value - (center.sum + center.lost)
    center.add(delta / (i + 1))
    squares.add(delta * (value - (center.sum + center.lost)))
  }
  return (squares.sum + squares.lost) / values.length
}
