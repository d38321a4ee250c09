import { expect, test } from 'vitest'
import { explore } from './explore.ts'
import { shapes } from './shapes.ts'
import { tell } from './story.ts'

test.each(shapes)(
  '$name: what the planner does keeps the laws in the nearest situations',
  (shape) => {
    const { violation, states } = explore(shape, 3_000)
    expect(violation === null ? '' : tell(violation)).toBe('')
    expect(states).toBe(3_000)
  },
)
