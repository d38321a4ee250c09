import { expect, test } from 'vitest'
import { isCurrent } from '../deploy/generate.ts'

test('the CRDs in deploy/ are those of the schema (renew with npm run build)', () => {
  expect(isCurrent()).toBe(true)
})
